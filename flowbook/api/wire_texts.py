"""Types of the fields that the API takes: texts and values that the store takes, too, and no longer than makes sense."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue

__all__ = ["By", "Due", "Key", "Name", "Note", "Values"]


def _valid_text(text: str) -> str:
    """Return a text. Raises ValueError: if it holds a NUL or half a surrogate pair, which no store takes."""
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
        msg = "It holds a character that can't be stored (NUL, or half of a surrogate pair). Leave that out"
        raise ValueError(msg)
    return text


_Text = AfterValidator(_valid_text)
Name = Annotated[str, Field(min_length=1, max_length=1000)]
Key = Annotated[str, Field(min_length=1, max_length=1000), _Text]
By = Annotated[str, Field(max_length=200), _Text]
Note = Annotated[str, Field(max_length=10_000), _Text]
#: Plain data by name.
Values = Annotated[dict[Key, JsonValue], Field(max_length=1000)]
#: JSON has no times: a text is read as one.
Due = Annotated[AwareDatetime, Field(strict=False)]
