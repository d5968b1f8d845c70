"""Why no stored output served: what differs between a task and the entry that comes nearest to it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.cache_validators import needs_inputs, reads_variables
from flowbook.flow_run.shown_code import shown_changed_line
from flowbook.report.phrases import duration, listed, shorten
from flowbook.report.secret_names import sounds_secret
from flowbook.results.code_source import source_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence
    from types import FunctionType

    from flowbook.flow_run.plan import Cause
    from flowbook.results.code_source import ChangedLine, Sources
    from flowbook.store.plan_reads import PastEntry

__all__ = ["Difference", "Made", "differences", "in_words", "with_lines"]

_NAMED_AT_MOST = 3
_LINE_CHARACTERS = 60


class Made(NamedTuple):
    """What an output is made from.

    Attributes:
        validator: of the task.
        code_hash: of the task.
        hashes: content hashes of inputs by argument, and of the variables that the code reads; as far as they are known.
        texts: short inputs as text, by argument.
        parameters: the run's, as plain data.
        secrets: the inputs that come from parameters whose names sound secret: their values aren't told.
    """

    validator: Callable[..., bool]
    code_hash: str | None
    hashes: Mapping[str, str]
    texts: Mapping[str, str]
    parameters: Mapping[str, object]
    secrets: frozenset[str] = frozenset()


class Difference(NamedTuple):
    """One reason why a stored output doesn't serve.

    Attributes:
        words: in words.
        cause: in one word.
        name: the input that differs, if it is one.
        now: what it is, as text, if that is known.
        was: what it was, likewise.
        run_id: of code that changed, the run that used it as it was; "" if it isn't known.
    """

    words: str
    cause: Cause
    name: str = ""
    now: str = ""
    was: str = ""
    run_id: str = ""


def in_words(found: Sequence[Difference]) -> tuple[str, Cause, tuple[str, ...]]:
    """Return differences in words and in one word, and the inputs among them."""
    if not found:
        return "", "", ()
    names = tuple(each.name for each in found if each.name)
    return " and ".join(each.words for each in found), found[0].cause, names


def with_lines(
    found: Sequence[Difference], functions: Sequence[FunctionType], now: Sources, before: Callable[[str], Sources]
) -> list[Difference]:
    """Return the differences; those of code name the line that is another one now, if that is known.

    Args:
        found: differences.
        functions: that the task's code reaches, its own first.
        now: their sources.
        before: returns the sources of a run, by its id.
    """
    names = [source_name(each) for each in functions]
    own = functions[0].__name__ if functions else ""
    return [
        _with_line(each, shown_changed_line(before(each.run_id), now, names), own) if each.run_id else each
        for each in found
    ]


def _with_line(difference: Difference, line: ChangedLine | None, own: str) -> Difference:
    if line is None:
        return difference
    where = f"line {line.number}: {shorten(line.text, _LINE_CHARACTERS)}"
    is_own = line.function == own
    return difference._replace(words=f"its code changed, {where}" if is_own else f"{line.function} changed, {where}")


def differences(made: Made, latest: Sequence[PastEntry], now: dt.datetime) -> list[Difference]:
    """Return what differs from the entry that comes nearest.

    Args:
        made: what the task's output is made from.
        latest: the task's newest entries, the newest first.
        now: aware.
    """
    if not latest:
        return [Difference("no output of it is stored", "new")]
    found = [_differences(made, entry, now) for entry in latest]
    return min(found, key=len)  # of equally near ones the newest


def _differences(made: Made, entry: PastEntry, now: dt.datetime) -> list[Difference]:
    """Return what keeps an entry from serving; the code first."""
    validator = made.validator
    found: list[Difference] = []
    if reads_variables(validator) and made.code_hash != entry.code_hash:
        found.append(Difference("its code changed", "code", run_id=entry.run_id or ""))
    if needs_inputs(validator):
        compared = getattr(validator, "compares", None) or tuple(made.hashes)
        changed = [
            name for name in compared if name in made.hashes and made.hashes[name] != entry.inputs.hashes.get(name)
        ]
        found += [_of_input(name, made, entry) for name in changed if name.isidentifier()]
        #: Code that changed may read others.
        variables = [name for name in changed if not name.isidentifier()] if not found else []
        if variables:
            found.append(Difference(f"{listed(variables, _NAMED_AT_MOST)} changed", "variable"))
    elif getattr(validator, "__name__", "") in {"all_parameters", "partial_parameters_only"}:
        found += _of_parameters(made, entry)
    if entry.dropped is not None:
        found.append(Difference("its stored output was deleted", "deleted"))
    elif entry.expires <= now:
        ago = duration((now - entry.expires).total_seconds())
        found.append(Difference(f"its output expired {ago} ago", "expired"))
    return found


def _of_input(name: str, made: Made, entry: PastEntry) -> Difference:
    if name not in entry.inputs.hashes:
        return Difference(f"input {name} is new", "input", name)
    before, now = entry.inputs.texts.get(name), made.texts.get(name)
    if name in made.secrets or sounds_secret(name):
        before = now = None
    words = f"input {name} changed" if before is None or now is None else f"input {name} is {now}, was {before}"
    return Difference(words, "input", name, now or "", before or "")


def _of_parameters(made: Made, entry: PastEntry) -> list[Difference]:
    changed = [name for name, value in made.parameters.items() if entry.parameters.get(name) != value]
    return [Difference(f"parameter {listed(changed, _NAMED_AT_MOST)} changed", "parameter")] if changed else []
