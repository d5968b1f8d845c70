"""Types of the fields that the API takes: texts and values that the store takes, too, and no longer than makes sense."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue

__all__ = ["By", "Due", "Key", "Name", "Note", "RunId", "Value", "Values"]


def _valid_text(text: str) -> str:
    """Return a text. Raises ValueError: if it holds a NUL or half a surrogate pair, which no store takes."""
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
        msg = "It holds a character that can't be stored (NUL, or half of a surrogate pair). Leave that out"
        raise ValueError(msg)
    return text


def _valid_value(value: JsonValue) -> JsonValue:
    """Return plain data. Raises ValueError: if it holds such a text, or a number that JSON doesn't have."""
    if isinstance(value, str):
        _valid_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        msg = f"{value} is no number in JSON. Give a finite one, or null"
        raise ValueError(msg)
    elif isinstance(value, dict):
        _valid_value(list(value))
        _valid_value(list(value.values()))
    elif isinstance(value, list):
        for each in value:
            _valid_value(each)
    return value


_Text = AfterValidator(_valid_text)
Name = Annotated[str, Field(min_length=1, max_length=1000)]
Key = Annotated[str, Field(min_length=1, max_length=1000), _Text]
By = Annotated[str, Field(max_length=200), _Text]
Note = Annotated[str, Field(max_length=10_000), _Text]
#: As long as an id that nobody else has by chance.
RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{15,99}$")]
#: Plain data, and plain data by name.
Value = Annotated[JsonValue, AfterValidator(_valid_value)]
Values = Annotated[dict[Key, Value], Field(max_length=1000)]
#: JSON has no times: a text is read as one.
Due = Annotated[AwareDatetime, Field(strict=False)]
