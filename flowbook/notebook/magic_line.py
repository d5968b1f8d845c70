"""Reads the line of a magic: a mistake on it becomes one line that says how to write it."""

from __future__ import annotations

import difflib
from itertools import takewhile
from typing import TYPE_CHECKING, Any, cast

from IPython.core.error import UsageError
from IPython.core.magic_arguments import parse_argstring

from flowbook.notebook.arguments import unquoted

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

__all__ = ["options_of", "read_line"]

_QUOTES = "--param 'city=New York'"
#: Options whose values people write with spaces.
_EXAMPLES = {
    "--at": "--at '2026-11-20 09:00'",
    "--executor": "--executor 'LocalDaskExecutor(\"threads\", num_workers=4)'",
    "--input": "--input 'city=New York'",
    "--note": "--note 'looks right'",
    "--of": "--of 'last failed'",
}
#: An option of the magic that names a flow, and of no other.
_OF_CELLS = "--no-run"
_NO_NAME = "the following arguments are required: name"


def read_line(magic: Callable[..., object], line: str, of_cells: Sequence[str] = ()) -> Namespace:
    """Return the arguments on the line of a magic that has `magic_arguments`.

    Args:
        magic: the magic.
        line: what stands after its name.
        of_cells: options that only a flow's cell takes; a line with one of these is told so.

    Raises:
        UsageError: if the line isn't as the magic takes it.
    """
    try:
        args = cast("Namespace", parse_argstring(magic, line))
    except UsageError as error:
        raise UsageError(_advice(str(error), line, options_of(magic), of_cells)) from error
    except ValueError as error:  # of shlex: a quote that isn't closed
        msg = f"{_sentence(str(error))} Close it, as in {_QUOTES}."
        raise UsageError(msg) from error
    for name, value in vars(args).items():
        if isinstance(value, str):
            setattr(args, name, unquoted(value))
        elif isinstance(value, list):
            setattr(args, name, [unquoted(each) for each in value])
    return args


def options_of(magic: Any) -> list[str]:  # noqa: ANN401  # a function with a parser, by `magic_arguments`
    """Return the options of a magic, as they are written."""
    return [text for action in magic.parser._actions for text in action.option_strings]  # noqa: SLF001  # argparse has no other list


def _advice(message: str, line: str, options: Sequence[str], of_cells: Sequence[str]) -> str:
    if "unrecognized" in message:
        wrong = message.partition(": ")[2].partition(" ")[0]
        return _misplaced(wrong, line, options, of_cells) or f"{message}. {_of_unknown(wrong, line, options)}"
    if "expected one argument" in message:
        return f"{message}. If the value begins with a dash, write OPTION=VALUE."
    if message == _NO_NAME:
        return "Which name is the flow to have? Write %%flow NAME, and after it options: %%flow delays --wait."
    return message


def _misplaced(wrong: str, line: str, options: Sequence[str], of_cells: Sequence[str]) -> str:
    """Return what to say of an option of cells on another line, and of a flow's name of several words; "" of other mistakes."""
    option = wrong.partition("=")[0]
    if option in of_cells:
        return f"%flow takes no {option}; that is for the flow's cell: %%flow NAME {option}."
    words = list(takewhile(lambda word: not word.startswith("-"), line.split()))
    if _OF_CELLS in options and wrong in words[1:]:
        return f"The name of a flow is one word: %%flow {'_'.join(words)}."
    return ""


def _of_unknown(wrong: str, line: str, options: Sequence[str]) -> str:
    if wrong.startswith("-"):
        close = difflib.get_close_matches(wrong, options, n=1)
        return f"Did you mean {close[0]}?" if close else "Tab lists the options."
    if "--param" in line:
        return "A parameter's value with spaces needs quotes around NAME=VALUE: --param 'months=[1, 2]'."
    example = next((text for option, text in _EXAMPLES.items() if option in line.split()), "")
    return f"What has spaces needs quotes: {example}." if example else "Tab lists the options."


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
