"""The compiled flow: task specs by key, in an order in which they can run.

Frozen, keys only: a spec carries its Task opaquely, to run it and to hand it to user callables. Pure: no clock, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine.task_keys import split_key
from flowbook.exceptions import CycleError, UnknownTaskError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from flowbook.engine.state import Paused
    from flowbook.results.code_hash import Code
    from flowbook.results.files import Result

__all__ = [
    "ApprovalPolicy",
    "Binding",
    "CachePolicy",
    "FilePolicy",
    "Graph",
    "GraphFacts",
    "RetryPolicy",
    "TaskSpec",
    "cycle_error",
    "sort_keys",
]

_NAMED_AT_MOST = 12


class Binding(NamedTuple):
    """One edge into a task. A NamedTuple: made for every edge of every run, at a quarter of a frozen dataclass's cost.

    Attributes:
        upstream: key of the task it comes from.
        argument: the argument of `run`, or None if only the state matters.
        mapped: whether each child gets one element.
        flattened: whether one level of nesting is removed first.
        edge: the author's Edge, opaque; passed to triggers.
    """

    upstream: str
    argument: str | None
    mapped: bool
    flattened: bool
    edge: object


class RetryPolicy(NamedTuple):
    """How often and when a failed attempt is made again; `on` limits it to these exceptions."""

    max_retries: int
    delay_s: float
    on: tuple[type[BaseException], ...] | None = None


class CachePolicy(NamedTuple):
    """How long an output is valid (None: for ever), the validator that decides whether it fits, and a key shared by flows.

    `is_read` False: the task runs though a stored output would fit; its own is stored all the same.
    """

    duration: timedelta | None
    validator: Callable[..., bool]
    key: str | None = None
    is_read: bool = True


class ApprovalPolicy(NamedTuple):
    """How long a task waits for a person, the answer when nobody gives one ("reject", "approve", "skip"), and who is asked."""

    deadline_s: float | None
    otherwise: str
    asks: str

    def note_in(self, state: Paused) -> None:
        """Note in the state with which the task begins to wait by when it is answered, how, and who is asked."""
        if self.deadline_s is not None:
            state.deadline = state.timestamp + timedelta(seconds=self.deadline_s)
            state.otherwise = self.otherwise
        state.asks = self.asks


class FilePolicy(NamedTuple):
    """The file to which an output is written.

    Attributes:
        result: does it.
        target: text with placeholders, or a function that makes the text; a file that is there serves as the output. None:
            the result names the file, and nothing is looked up.
        is_written: False: files are only looked up.
    """

    result: Result
    target: str | Callable[..., str] | None = None
    is_written: bool = True


class TaskSpec(NamedTuple):
    """What is known of a task before it runs. `trigger` None is all_successful, the common case made cheap."""

    # From the flow.
    key: str
    name: str
    task: object
    run: Callable[..., object]
    bindings: tuple[Binding, ...] = ()
    #: Keys of all upstream tasks, each once, in order of definition.
    upstream: tuple[str, ...] = ()
    constants: Mapping[str, object] | None = None
    #: Sequences written in the flow itself, one element for each child.
    mapped_constants: Mapping[str, object] | None = None
    is_mapped: bool = False
    #: Whether something upstream is mapped and read whole.
    reads_mapped: bool = False
    #: Whether something upstream only gathers: see `engine.gathering`.
    reads_gathered: bool = False
    #: Keys of the cases that this task is written in, noted only where `skip_on_upstream_skip` is False: they skip it anyway.
    conditions: tuple[str, ...] = ()
    #: Whether its options need none of the optional steps, see `engine.plain_tasks`.
    is_plain: bool = False
    #: Whether it is plain, isn't mapped, and takes no input from a task that is mapped or only gathers.
    has_plain_inputs: bool = False

    # From the task's options; copies of one task share these.
    trigger: Callable[..., bool] | None = None
    is_manual: bool = False
    #: How it waits, if its author said.
    approval: ApprovalPolicy | None = None
    is_parameter: bool = False
    #: Whether it cleans up what its inputs set up; then it runs even if the run was cancelled.
    cleans_up: bool = False
    #: Whether it only gathers what is upstream of it into a collection.
    gathers: bool = False
    skip_on_upstream_skip: bool = True
    retry: RetryPolicy | None = None
    cache: CachePolicy | None = None
    timeout_s: float | None = None
    handlers: tuple[Callable[..., object], ...] = ()
    log_stdout: bool = False
    #: Whether the value may be stored, as an output or as another task's input.
    keep: bool = True
    #: Resources that a worker of a cluster must have, by name.
    resources: tuple[tuple[str, float], ...] = ()
    #: Name of one run of it: text with placeholders, or a function.
    run_name: str | Callable[..., str] | None = None
    #: Where its output is written as a file, if anywhere.
    files: FilePolicy | None = None
    #: Labels; concurrency limits can name them.
    tags: frozenset[str] = frozenset()
    #: Context values that only this task sees.
    context: Mapping[str, object] | None = None

    def question(self) -> str:
        """Return what a person who has to answer is asked: the first line of the docstring, "" if there is none."""
        import inspect  # noqa: PLC0415  # only where somebody waits

        text = inspect.getdoc(self.run)
        return text.splitlines()[0] if text and not text.startswith("partial(") else ""

    def mapped_arguments(self) -> tuple[str, ...]:
        """Return the inputs of which each child gets an element."""
        edges = (b.argument for b in self.bindings if b.mapped and b.argument is not None)
        return (*edges, *(self.mapped_constants or ()))


class GraphFacts(NamedTuple):
    """What every run of a graph needs to know of all its tasks; worked out once.

    Attributes:
        upstream_counts: key to how many tasks are right upstream.
        roots: keys with none.
        gatherers: keys of tasks that only gather.
        has_cleanups: whether any task cleans up.
        caches: whether any task's output is cached.
    """

    upstream_counts: dict[str, int]
    roots: tuple[str, ...]
    gatherers: tuple[str, ...]
    has_cleanups: bool
    caches: bool


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A flow's tasks in topological order, with their children.

    Attributes:
        name: of the flow.
        specs: key to spec, in topological order.
        children: key to the keys of the tasks directly downstream, each once.
        terminal: keys without children.
        reference: keys whose states decide the flow's; the terminal ones unless the author said otherwise.
        flow: the author's Flow, opaque; given to its state handlers.
        handlers: the flow's own, called when its state changes, before those of the run.
        terminal_handler: may replace the flow's final state.
    """

    name: str
    specs: Mapping[str, TaskSpec]
    children: Mapping[str, tuple[str, ...]]
    terminal: tuple[str, ...]
    reference: tuple[str, ...]
    flow: object = None
    handlers: tuple[Callable[..., object], ...] = ()
    terminal_handler: Callable[..., object] | None = None
    #: The code of the tasks' functions, as far as it was read; ask `results.code_hash.known_code`.
    codes: dict[Callable[..., object], Code] = field(default_factory=dict, repr=False)
    #: Keys by the author's tasks and by their names; made on first use.
    _known: dict[object, tuple[str, ...]] = field(default_factory=dict, repr=False)
    #: From the compiler, or made when first asked for; empty before.
    _facts: list[GraphFacts] = field(default_factory=list, repr=False)

    @property
    def facts(self) -> GraphFacts:
        """What every run needs to know of all tasks."""
        if not self._facts:
            self._facts.append(_facts_of(self.specs))  # another thread's is equal
        return self._facts[0]

    def key_of(self, task: object) -> str:
        """Return the key of `task`: the author's Task, its key, or a child's key such as `clean[3]`.

        Raises:
            UnknownTaskError: if there is no such task; the known keys are in the message.
        """
        if isinstance(task, str):
            if task in self.specs:
                return task
            parent, index = split_key(task)
            if index is not None and parent in self.specs:
                return task
        else:
            for asked in (task, ("name", getattr(task, "name", None))):
                if len(found := self._keys_of(asked)) == 1:
                    return found[0]
        raise _unknown(self, task)

    def to_set_up_again(self, keys: Iterable[str], is_finished: Callable[[str], bool]) -> list[str]:
        """Return the keys of resources that were cleaned up and that `keys`, which run again, need: set-up and clean-up."""
        if not self.facts.has_cleanups:
            return []
        cleanups = [spec for key, spec in self.specs.items() if spec.cleans_up and is_finished(key)]
        if not cleanups:
            return []
        below = self.downstream(key for key in keys if not self.specs[key].cleans_up)
        return [
            each
            for spec in cleanups
            if spec.key in below
            for each in (*(b.upstream for b in spec.bindings if b.argument is not None), spec.key)
        ]

    def _keys_of(self, asked: object) -> tuple[str, ...]:
        known = self._known
        if not known:
            # Built completely before it is assigned, since other threads may read it at the same time.
            found: dict[object, tuple[str, ...]] = {}
            for key, spec in self.specs.items():
                for name in (spec.task, ("name", spec.name)):
                    found[name] = (*found.get(name, ()), key)[:2]
            known.update(found)
        try:
            return known.get(asked, ())
        except TypeError:  # it has no hash, so it is no task of this flow
            return ()

    def run_order(self) -> list[str]:
        """Return all keys in the order in which one worker runs them, branch by branch, if no task waits for anything else."""
        left = dict(self.facts.upstream_counts)
        order: list[str] = []
        ready = list(reversed(self.facts.roots))
        while ready:
            key = ready.pop()
            order.append(key)
            for below in reversed(self.children[key]):
                left[below] -= 1
                if not left[below]:
                    ready.append(below)
        return order

    def downstream(self, keys: Iterable[str]) -> set[str]:
        """Return `keys` and all that lies below them."""
        return _reached(keys, self.children.__getitem__)

    def upstream(self, keys: Iterable[str]) -> set[str]:
        """Return `keys` and all that lies above them."""
        return _reached(keys, lambda key: self.specs[key].upstream)

    def first_of(self, keys: AbstractSet[str]) -> tuple[str, ...]:
        """Return those of these tasks that have none of the others right above them."""
        return tuple(key for key, spec in self.specs.items() if key in keys and keys.isdisjoint(spec.upstream))

    def ending_with(self, keys: Container[str]) -> Graph:
        """Return the graph by which the flow's state is decided if only these tasks run: by those that always do, or the last."""
        ends = tuple(
            key for key in self.specs if key in keys and not any(below in keys for below in self.children[key])
        )
        return replace(self, terminal=ends, reference=tuple(key for key in self.reference if key in keys) or ends)


def _reached(keys: Iterable[str], step: Callable[[str], Iterable[str]]) -> set[str]:
    seen = set(keys)
    stack = list(seen)
    while stack:
        fresh = [each for each in step(stack.pop()) if each not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    return seen


def _facts_of(specs: Mapping[str, TaskSpec]) -> GraphFacts:
    counts = {key: len(spec.upstream) for key, spec in specs.items()}
    return GraphFacts(
        upstream_counts=counts,
        roots=tuple([key for key, count in counts.items() if not count]),
        gatherers=tuple([key for key, spec in specs.items() if spec.gathers]),
        has_cleanups=any(spec.cleans_up for spec in specs.values()),
        caches=any(spec.cache is not None for spec in specs.values()),
    )


def _unknown(graph: Graph, task: object) -> UnknownTaskError:
    import difflib  # noqa: PLC0415  # only where something is wrong

    name = task if isinstance(task, str) else getattr(task, "name", repr(task))
    close = difflib.get_close_matches(str(name), list(graph.specs), n=1)
    known = ", ".join(islice(graph.specs, _NAMED_AT_MOST)) or "none"
    more = ", ..." if len(graph.specs) > _NAMED_AT_MOST else ""
    hint = f"Did you mean {close[0]!r}?" if close else f"Its tasks: {known}{more}."
    msg = f"Flow {graph.name!r} has no task {name!r}. {hint}"
    named = [] if isinstance(task, str) else [spec.key for spec in graph.specs.values() if spec.name == name]
    if len(named) > 1:
        msg = (
            f"Flow {graph.name!r} has several tasks named {name!r}: {', '.join(named[:_NAMED_AT_MOST])}. "
            "Name one by its key, or give what the call in the flow returned."
        )
    return UnknownTaskError(msg, key=str(name))


def sort_keys(children: Mapping[str, Sequence[str]], indegree: Mapping[str, int]) -> list[str]:
    """Return the keys so that each comes after its upstream (Kahn 1962); ties in the order given.

    Raises:
        CycleError: naming the tasks of one ring.
    """
    left = dict(indegree)
    order = [key for key, count in left.items() if not count]
    for key in order:
        for child in children[key]:
            left[child] -= 1
            if not left[child]:
                order.append(child)
    if len(order) < len(left):
        raise _cycle(children, {key for key, count in left.items() if count})
    return order


def _cycle(children: Mapping[str, Sequence[str]], stuck: set[str]) -> CycleError:
    path: list[str] = []
    #: Every stuck key has a stuck parent, so walking upwards must meet itself.
    parents = {child: key for key in children if key in stuck for child in children[key] if child in stuck}
    key = next(key for key in children if key in parents)
    while key not in path:
        path.append(key)
        key = parents[key]
    return cycle_error(path[path.index(key) :][::-1])


def cycle_error(ring: list[str]) -> CycleError:
    """Return the error that names these tasks, each of which waits on the one before it, and the first on the last."""
    shown = [*ring[:_NAMED_AT_MOST], *([f"({len(ring) - _NAMED_AT_MOST} more)"] if len(ring) > _NAMED_AT_MOST else [])]
    msg = f"Tasks wait on each other: {' -> '.join([*shown, ring[0]])}. Remove one of these edges, or split {ring[0]!r} in two."
    return CycleError(msg, ring=ring)
