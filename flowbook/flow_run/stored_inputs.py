"""A run's inputs in the store, so that another process can resume it with them.

Parameters alone are stored as a dict. If there are other inputs, an index is stored: it names the values that hold the
parameters, the context, each task's own context, the handlers, the executor and the `task_states`, and lists what couldn't
be stored and why. Secrets are never stored, only their names; whoever resumes the run must supply the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flowbook._context import ContextLayer
from flowbook.engine.masks import Masks
from flowbook.engine.run_inputs import MissingInput, RunInputs
from flowbook.exceptions import DamagedValueError, FlowbookError, UnpicklableError
from flowbook.results import serializer
from flowbook.results.reference import ResultRef
from flowbook.results.text_search import TextSearch
from flowbook.store.state_table import states_from_table, states_to_table

if TYPE_CHECKING:
    from flowbook.engine.graph import Graph
    from flowbook.engine.limits import Limits
    from flowbook.engine.state import State
    from flowbook.executors.base import Executor
    from flowbook.store.values import Values

__all__ = ["InputsAtRest", "StoredInputs", "store_inputs"]

#: First item of an index, which is a tuple; parameters alone are a dict.
_MARK = "flowbook given 1"
_SECRETS = "secrets"


class InputsAtRest(NamedTuple):
    """What the store has of a run's inputs.

    Attributes:
        ref: the reference to them.
        further: the references to the values that an index names.
        missing: inputs that couldn't be stored, and why.
        secrets: names of the secrets in the context.
    """

    ref: ResultRef
    further: list[ResultRef]
    missing: tuple[MissingInput, ...]
    secrets: tuple[str, ...]


def store_inputs(inputs: RunInputs, graph: Graph, values: Values) -> InputsAtRest:
    """Store a run's inputs; return what there is of them.

    Raises:
        StoreError: if they can't be written.
    """
    writer = _Writer(values, inputs)
    parameters = writer.parameters(inputs.parameters)
    index = {
        "context": writer.context(inputs.context),
        "task_contexts": {
            key: found for key, own in inputs.task_contexts.items() if (found := writer.context(own, key)) is not None
        },
        "state_handlers": writer.part(
            "state_handlers", {f"{number} {_name(each)}": each for number, each in enumerate(inputs.handlers)}
        ),
        "executor": writer.part("executor", {} if inputs.executor is None else {"executor": inputs.executor}),
        "states": writer.states(inputs.states, graph),
        "start": list(inputs.start),
        "only": list(inputs.only),
        "anew": list(inputs.anew),
        "name": inputs.name,
        "missing": [list(each) for each in writer.missing],
        "secrets": writer.secrets,
    }
    index = {part: found for part, found in index.items() if found}
    ref = parameters
    if index or ref is None:
        ref = writer.put([_MARK, {"parameters": parameters and _plain(parameters), **index}])
    values.put_rows(writer.rows)
    further = [each for each in writer.refs if each is not ref]
    return InputsAtRest(ref, further, tuple(writer.missing), tuple(writer.secrets))


class _Writer:
    """Gathers the values to write, in order."""

    def __init__(self, values: Values, inputs: RunInputs) -> None:
        self._values = values
        self._inputs = inputs
        self.rows: list[tuple[object, ...]] = []
        self.refs: list[ResultRef] = []
        self.missing = list(inputs.missing)
        self.secrets = list(inputs.secrets)

    @cached_property
    def _secret_texts(self) -> tuple[bytes, ...]:
        return Masks.around(ContextLayer(self._inputs.context), self._inputs.task_contexts.values()).needles()

    def parameters(self, named: Mapping[str, object]) -> ResultRef | None:
        """Store the parameters that can be pickled; return None if none can."""
        try:
            return self.put(named)
        except UnpicklableError:
            sound = self._sound("parameters", named, "")
            return self.put(sound) if sound else None

    def context(self, named: Mapping[str, object], task: str = "") -> list[Any] | None:
        """Store a context without its secrets; note their names."""
        secrets = named.get(_SECRETS)
        if isinstance(secrets, Mapping):
            self.secrets += [name for name in map(str, secrets) if name not in self.secrets]
        elif secrets is not None:
            self._note("context", _SECRETS, "secrets are not stored", task)
        return self.part("context", {name: each for name, each in named.items() if name != _SECRETS}, task)

    def part(self, option: str, named: Mapping[str, object], task: str = "") -> list[Any] | None:
        """Store the members that can be pickled as one value; return None if none can."""
        if named and self._secret_texts:
            named = {name: each for name, each in named.items() if not self._reveals(option, name, each, task)}
        try:
            return _plain(self.put(named, by_value=True)) if named else None
        except UnpicklableError:
            sound = self._sound(option, named, task)
            return _plain(self.put(sound, by_value=True)) if sound else None

    def states(self, states: Mapping[str, State], graph: Graph) -> Mapping[str, object]:
        """Return the `task_states` as a table; their values are stored as results are."""
        if not states:
            return {}
        table, rows, refs = states_to_table(states, graph, self._values)
        self.rows += rows
        self.refs += refs
        return table

    def put(self, value: object, *, by_value: bool = False) -> ResultRef:
        """Prepare a value, with the user's code if possible. Raises UnpicklableError, StoreError."""
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
        """Return the members that can be pickled; list the others as missing."""
        sound = {}
        for name, each in named.items():
            try:
                serializer.dump(each, _Unread())
            except UnpicklableError as error:
                self._note(option, name, str(error.what), task)
            else:
                sound[name] = each
        return sound

    def _reveals(self, option: str, name: str, value: object, task: str) -> bool:
        """Return whether this value contains a secret; if so, list it as missing."""
        found = TextSearch(self._secret_texts)
        try:
            found.write(serializer.dump_plain(value) or b"")
            serializer.dump(value, found, by_value=True)
        except UnpicklableError:
            return False  # noted where it is to be stored
        if found.has_found:
            self._note(option, name, "it holds a secret, and those are not stored", task)
        return found.has_found

    def _note(self, option: str, name: str, why: str, task: str) -> None:
        name = name.partition(" ")[2] if option == "state_handlers" else name
        self.missing.append(MissingInput(option, name, why, task))


class StoredInputs:
    """The inputs of a recorded run. Each part is loaded when it is read.

    Args:
        content: what `store_inputs` wrote.
        values: the store's values.
        limits: how many tasks run at once; stored with the run itself.

    Raises:
        DamagedValueError: if `content` is something else.
    """

    def __init__(self, content: object, values: Values, limits: Limits | None = None) -> None:
        self._values = values
        self._limits = limits
        self._index: dict[str, Any] = {}
        self._parameters: dict[str, object] | None = content if isinstance(content, dict) else None
        if self._parameters is None:
            if not (isinstance(content, list) and content[:1] == [_MARK] and isinstance(content[-1], dict)):
                msg = (
                    "This version of flowbook can't read how this run's inputs are stored. "
                    "Use the flowbook that recorded it, or run the flow again."
                )
                raise DamagedValueError(msg)
            self._index = content[-1]

    @property
    def limits(self) -> Limits | None:
        """How many tasks run at once; None: as many as the executor allows."""
        return self._limits

    @property
    def missing(self) -> tuple[MissingInput, ...]:
        """The inputs that couldn't be stored, and why."""
        return tuple(MissingInput(*each) for each in self._index.get("missing", ()))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that were in its context."""
        return tuple(self._index.get(_SECRETS, ()))

    def parameters(self) -> dict[str, object]:
        """Return the parameters that are stored. Raises ResultGoneError."""
        if self._parameters is None:
            self._parameters = self._load(self._index["parameters"])
        return dict(self._parameters)

    def states(self) -> dict[str, State]:
        """Return the `task_states`, by key; values are references."""
        return states_from_table(self._index.get("states", {}), self._values)

    @property
    def has_executor(self) -> bool:
        """Whether the run had an executor of its own, stored or not."""
        return "executor" in self._index or any(each.option == "executor" for each in self.missing)

    @property
    def start(self) -> tuple[str, ...]:
        """The keys of the tasks at which it started."""
        return tuple(self._index.get("start", ()))

    @property
    def only(self) -> tuple[str, ...]:
        """The keys of the tasks that may run; empty: all may."""
        return tuple(self._index.get("only", ()))

    @property
    def name(self) -> str:
        """The run's name; "" if the caller gave none."""
        return str(self._index.get("name", ""))

    def executor(self) -> Executor | None:
        """Return the run's own executor; None if it had none, or it can't be loaded here."""
        try:
            return cast("Executor | None", self._load(self._index.get("executor")).get("executor"))
        except FlowbookError:
            return None

    def load(self) -> RunInputs:
        """Return all inputs except the executor.

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
            only=self.only,
            anew=tuple(self._index.get("anew", ())),
            limits=self._limits,
            name=self.name,
            missing=self.missing,
            secrets=self.secrets,
        )

    def _load(self, ref: list[Any] | None) -> dict[str, Any]:
        return {} if ref is None else dict(ResultRef(ref[0], ref[1], self._values).load())


class _Unread:
    """A file that discards what is written to it."""

    def write(self, part: bytes | memoryview) -> None:
        pass


def _name(handler: object) -> str:
    return str(getattr(handler, "__qualname__", type(handler).__qualname__))


def _plain(ref: ResultRef) -> list[Any]:
    return [ref.digest, ref.size_bytes]
