"""What a run was given: kept with it, so that another process goes on with it as it was begun.

Parameters alone are kept as they are. Where there is more, what is kept is an index: which value holds the parameters, the
context, each task's own context, the handlers and the executor, the states of tasks that were given one, and what is not
there and why. Secrets never are: their names are kept, and whoever goes on is asked for the values.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from flowbook._context import ContextLayer
from flowbook.engine.masks import Masks
from flowbook.exceptions import DamagedValueError, FlowbookError, UnpicklableError
from flowbook.flow_run.run_inputs import MissingInput, RunInputs
from flowbook.results import serializer
from flowbook.results.reference import ResultRef
from flowbook.store.state_table import states_from_table, states_to_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.executors.base import Executor
    from flowbook.store.values import Values

__all__ = ["StoredInputs", "keep"]

#: Begins an index; parameters are a dict.
_MARK = "flowbook given 1"
_SECRETS = "secrets"
_CHUNK_BYTES = 1 << 20


def keep(given: RunInputs, graph: Graph, values: Values) -> tuple[ResultRef, list[ResultRef]]:
    """Keep what was given; return where it is, and the further values that this names.

    Raises:
        StoreError: if it can't be written.
    """
    keeping = _Keeping(values, given)
    parameters = keeping.parameters(given.parameters)
    index = {
        "context": keeping.context(given.context),
        "task_contexts": {
            key: ref for key, own in given.task_contexts.items() if (ref := keeping.context(own, key)) is not None
        },
        "state_handlers": keeping.portion(
            "state_handlers", {f"{place} {_name(each)}": each for place, each in enumerate(given.handlers)}
        ),
        "executor": keeping.portion("executor", {} if given.executor is None else {"executor": given.executor}),
        "states": keeping.states(given.states, graph),
        "start": list(given.start),
        "missing": [list(each) for each in keeping.missing],
        "secrets": keeping.secrets,
    }
    index = {part: found for part, found in index.items() if found}
    given_ref = parameters
    if index or given_ref is None:
        given_ref = keeping.put([_MARK, {"parameters": parameters and _plain(parameters), **index}])
    values.put_rows(keeping.rows)
    return given_ref, [ref for ref in keeping.refs if ref is not given_ref]


class _Keeping:
    """Gathers what is to be written."""

    def __init__(self, values: Values, given: RunInputs) -> None:
        self._values = values
        self._given = given
        self.rows: list[tuple[object, ...]] = []
        self.refs: list[ResultRef] = []
        self.missing = list(given.missing)
        self.secrets = list(given.secrets)

    @cached_property
    def _secret_texts(self) -> tuple[bytes, ...]:
        return Masks.around(ContextLayer(self._given.context), self._given.task_contexts.values()).needles()

    def parameters(self, given: Mapping[str, object]) -> ResultRef | None:
        """Keep those that can be; None where none can."""
        try:
            return self.put(given)
        except UnpicklableError:
            sound = self._sound("parameters", given, "")
            return self.put(sound) if sound else None

    def context(self, given: Mapping[str, object], task: str = "") -> list[Any] | None:
        """Keep a context without its secrets; their names are noted."""
        held = given.get(_SECRETS)
        if isinstance(held, dict):
            self.secrets += [name for name in map(str, held) if name not in self.secrets]
        elif held is not None:
            self._note("context", _SECRETS, "secrets are not stored", task)
        return self.portion("context", {name: each for name, each in given.items() if name != _SECRETS}, task)

    def portion(self, option: str, named: Mapping[str, object], task: str = "") -> list[Any] | None:
        """Keep what is named as one value, as far as it can be; None where nothing is left."""
        if named and self._secret_texts:
            named = {name: each for name, each in named.items() if not self._tells(option, name, each, task)}
        try:
            return _plain(self.put(named, by_value=True)) if named else None
        except UnpicklableError:
            sound = self._sound(option, named, task)
            return _plain(self.put(sound, by_value=True)) if sound else None

    def states(self, given: Mapping[str, State], graph: Graph) -> Mapping[str, object]:
        """Return the table of the states that were given; their values are kept as results are."""
        if not given:
            return {}
        table, rows, refs = states_to_table(given, graph, self._values)
        self.rows += rows
        self.refs += refs
        return table

    def put(self, value: object, *, by_value: bool = False) -> ResultRef:
        """Prepare a value, with the user's code or else without. Raises UnpicklableError, StoreError."""
        try:
            prepared = self._values.prepare(value, by_value=by_value)
        except UnpicklableError:
            if not by_value:
                raise
            prepared = self._values.prepare(value)
        self.rows.append(prepared.row)
        self.refs.append(prepared.ref)
        return prepared.ref

    def _sound(self, option: str, named: Mapping[str, object], task: str) -> dict[str, object]:
        """Return what can be pickled of what is named; the rest is noted."""
        sound = {}
        for name, each in named.items():
            try:
                serializer.dump(each, _Unread())
            except UnpicklableError as error:
                self._note(option, name, str(error.what), task)
            else:
                sound[name] = each
        return sound

    def _tells(self, option: str, name: str, value: object, task: str) -> bool:
        """Return whether the value of a secret would be written with this one; that is noted."""
        found = _Search(self._secret_texts)
        try:
            found.write(serializer.dump_plain(value) or b"")
            serializer.dump(value, found, by_value=True)
        except UnpicklableError:
            return False  # noted where it is to be kept
        if found.has_found:
            self._note(option, name, "it holds a secret, and those are not stored", task)
        return found.has_found

    def _note(self, option: str, name: str, why: str, task: str) -> None:
        shown = name.partition(" ")[2] if option == "state_handlers" else name
        self.missing.append(MissingInput(option, shown, why, task))


class StoredInputs:
    """What was given to a run that was recorded; each part is loaded when it is asked for.

    Args:
        content: what `keep` wrote.
        values: where it is kept.

    Raises:
        DamagedValueError: if it is no such thing.
    """

    def __init__(self, content: object, values: Values) -> None:
        self._values = values
        self._index: dict[str, Any] = {}
        self._parameters: dict[str, object] | None = content if isinstance(content, dict) else None
        if self._parameters is None:
            if not (isinstance(content, list) and content[:1] == [_MARK] and isinstance(content[-1], dict)):
                msg = (
                    "What a run was given is not kept in a way that this version of flowbook can read. "
                    "Use the flowbook that recorded it, or run the flow again."
                )
                raise DamagedValueError(msg)
            self._index = content[-1]

    @property
    def missing(self) -> tuple[MissingInput, ...]:
        """What is not kept, and why."""
        return tuple(MissingInput(*each) for each in self._index.get("missing", ()))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that were in its context."""
        return tuple(self._index.get(_SECRETS, ()))

    def parameters(self) -> dict[str, object]:
        """Return the parameters that are kept. Raises ResultGoneError."""
        if self._parameters is None:
            self._parameters = self._load(self._index["parameters"])
        return dict(self._parameters)

    def states(self) -> dict[str, State]:
        """Return the states that were given, by key; values are references."""
        return states_from_table(self._index.get("states", {}), self._values)

    @property
    def has_executor(self) -> bool:
        """Whether the run had an executor of its own, kept or not."""
        return "executor" in self._index or any(each.option == "executor" for each in self.missing)

    @property
    def start(self) -> tuple[str, ...]:
        """The keys of the tasks at which it started."""
        return tuple(self._index.get("start", ()))

    def executor(self) -> Executor | None:
        """Return the run's own executor; None where there is none, or it can't be made here."""
        try:
            return cast("Executor | None", self._load(self._index.get("executor")).get("executor"))
        except FlowbookError:
            return None

    def load(self) -> RunInputs:
        """Return all of it but the executor.

        Raises:
            ResultGoneError, DamagedValueError, UnpicklableError: if a part can't be read here.
        """
        return RunInputs(
            parameters=self.parameters(),
            context=self._load(self._index.get("context")),
            task_contexts={key: self._load(ref) for key, ref in self._index.get("task_contexts", {}).items()},
            handlers=tuple(self._load(self._index.get("state_handlers")).values()),
            states=self.states(),
            start=self.start,
            missing=self.missing,
            secrets=self.secrets,
        )

    def _load(self, ref: list[Any] | None) -> dict[str, Any]:
        return {} if ref is None else dict(ResultRef(ref[0], ref[1], self._values).load())


class _Unread:
    """Takes what is written, and drops it."""

    def write(self, part: bytes | memoryview) -> None:
        pass


class _Search:
    """Looks for texts in what is written; holds no more of it than a part."""

    def __init__(self, texts: tuple[bytes, ...]) -> None:
        self._texts = texts
        self._overlap = max(map(len, texts)) - 1
        self._end = b""
        self.has_found = False

    def write(self, part: bytes | memoryview) -> None:
        view = memoryview(part).cast("B")
        for start in range(0, len(view), _CHUNK_BYTES):
            seen = self._end + bytes(view[start : start + _CHUNK_BYTES])
            self.has_found = self.has_found or any(text in seen for text in self._texts)
            self._end = seen[len(seen) - self._overlap :] if self._overlap else b""


def _name(handler: object) -> str:
    return str(getattr(handler, "__qualname__", type(handler).__qualname__))


def _plain(ref: ResultRef) -> list[Any]:
    return [ref.digest, ref.size_bytes]
