"""What users' exceptions become where they are shown or travel: whatever their own methods do, nothing is raised here."""

from __future__ import annotations

__all__ = ["RemoteError", "error_line", "format_traceback", "safe_repr", "safe_str", "travelling"]

#: The most of what stands for a user's object in a message.
_SHOWN_CHARS = 500
#: The most of an exception's text that a state says, and of a traceback that travels; the exception keeps its own.
_MESSAGE_CHARS = 10_000
_TRACEBACK_CHARS = 100_000


class RemoteError(Exception):
    """Stand-in for an exception that can't travel: keeps its type's name, its message and its formatted traceback."""

    def __init__(self, type_name: str, message: str, formatted: str) -> None:
        super().__init__(type_name, message, formatted)
        self.type_name = type_name
        self.message = message
        self.formatted = formatted
        #: The type itself where that could travel, for `retry_on`.
        self.kind: type | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return RemoteError, (self.type_name, self.message, self.formatted)

    def __str__(self) -> str:
        return _line(self.type_name, self.message)

    @classmethod
    def of(cls, error: BaseException) -> RemoteError:
        """Return the stand-in for `error`, or `error` itself where it already is one."""
        if isinstance(error, cls):
            return error
        return cls(type(error).__name__, safe_str(error), format_traceback(error))


def travelling(error: BaseException) -> BaseException:
    """Return `error`, or its stand-in where it would not survive being pickled."""
    import pickle  # noqa: PLC0415  # only where an exception travels

    try:
        twin = pickle.loads(pickle.dumps(error))  # noqa: S301  # its own bytes, to see whether they survive the way
    except BaseException:  # noqa: BLE001  # whatever a user's exception raises here, the stand-in travels
        return RemoteError.of(error)
    return error if isinstance(twin, BaseException) else RemoteError.of(error)


def safe_str(error: BaseException) -> str:
    """Return the exception's text, cut where it is very long, or why it has none."""
    try:
        return _cut(str(error), _MESSAGE_CHARS)
    except BaseException as exc:  # noqa: BLE001  # a user's __str__ may raise, or exit
        return f"(its message can't be shown: {type(exc).__name__})"


def error_line(error: BaseException) -> str:
    """Return the exception's type and its text as `safe_str` gives it, "ValueError: no disk"; without a text only the type."""
    return _line(type(error).__name__, safe_str(error))


def safe_repr(value: object) -> str:
    """Return what stands for a user's object in a message, cut where it is long."""
    try:
        return _cut(repr(value), _SHOWN_CHARS)
    except BaseException:  # noqa: BLE001  # a user's __repr__ may raise, or exit
        return f"a {type(value).__name__}"


def format_traceback(error: BaseException) -> str:
    """Return the traceback as text, with its middle cut if it is very long; never raises."""
    from flowbook.engine.traceback_text import traceback_text  # noqa: PLC0415  # only where an exception travels

    try:
        return _cut(traceback_text(error), _TRACEBACK_CHARS, _TRACEBACK_CHARS // 2)
    except BaseException as exc:  # noqa: BLE001  # a user's __str__ or __cause__
        return f"(its traceback can't be shown: {type(exc).__name__})"


def _line(kind: str, text: str) -> str:
    return f"{kind}: {text}" if text else kind


def _cut(text: str, most: int, of_end: int = 0) -> str:
    if len(text) <= most:
        return text
    end = text[len(text) - of_end :]
    return f"{text[: most - of_end]}… ({len(text) - most:,} more characters were cut){end and f' …{end}'}"
