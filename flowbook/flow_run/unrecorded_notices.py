"""Tells people how a run came to rest that no store has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowbook.flow_run.location import AtRest
    from flowbook.flow_run.run_description import RunDescription

__all__ = ["tell_if_unrecorded"]


def tell_if_unrecorded(run: RunDescription, rest: AtRest) -> None:
    """If a run isn't recorded, tell its flow's receivers how it came to rest, once; return at once.

    Those who are told of all runs aren't told of this one: the store, which knows them, isn't opened for it.
    """
    receivers = getattr(run.flow, "notify", ())
    if receivers and rest.recording is None:
        from flowbook.notices.unrecorded import tell  # noqa: PLC0415  # only where somebody is told

        tell(receivers, run.label.run_id, run.label.flow_name, rest.state, rest.states)
