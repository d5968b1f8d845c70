"""Tells by its name whether a value is likely to be a secret. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["sounds_secret"]

#: Names such as GITHUB_TOKEN, dbPassword and X-Api-Key, with their words divided by "_".
_NAMES = (
    r"(?:^|_)"
    r"(?:tokens?|secrets?|passwords?|passwd|pwd|passphrase|credentials?|api_?key|(?:private|secret|access|account)_?key)"
    r"(?:_|$)|(?:^|_)pass$"
)
_WORDS = r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+"


@lru_cache(maxsize=10_000)
def sounds_secret(name: str) -> bool:
    """Return whether what has that name is likely to be a secret."""
    return re.search(_NAMES, re.sub(_WORDS, "_", name), re.IGNORECASE) is not None
