"""What an agent tells of its work, as it happens. Plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

__all__ = ["News", "Report", "RunInHand"]


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened.

    Attributes:
        what: "started", "ended", "failed" (it could not be started), "cancelled", "given back", "crashed", "answered",
            "trouble", "drains", "ends".
        text: a sentence.
        run_id: of the run; "" if it is about the agent.
        flow: the flow's name.
        run: the run's number; None if it is about the agent.
        state: name of the flow's state, where the run has come to rest.
    """

    what: str
    text: str
    run_id: str = ""
    flow: str = ""
    run: int | None = None
    state: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return it as plain JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RunInHand:
    """A run that an agent has claimed.

    Attributes:
        run_id: of the run.
        flow: the flow's name.
        run: the run's number.
        phase: "waits" for its time, "starts", or "runs".
        since: when that began, seconds since the epoch.
        due: its time, seconds since the epoch.
    """

    run_id: str
    flow: str
    run: int
    phase: str
    since: float
    due: float


#: What is told of each piece of news, from any thread. It must not raise.
Report = Callable[[News], None]
