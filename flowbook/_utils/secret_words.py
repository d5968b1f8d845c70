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
#: How many tokens a text has, as of a language model: max_tokens, token_count.
_COUNTS = r"(?:^|_)(?:max|min|num|n|total|count)(?:_[a-z]+)?_tokens$|(?:^|_)tokens?_(?:count|limit|budget)$"
_WORDS = r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+"


@lru_cache(maxsize=10_000)
def sounds_secret(name: str) -> bool:
    """Return whether what has that name is likely to be a secret."""
    words = re.sub(_WORDS, "_", name)
    return bool(re.search(_NAMES, words, re.IGNORECASE)) and not re.search(_COUNTS, words, re.IGNORECASE)
