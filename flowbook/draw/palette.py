"""Colours of the states: one table that the SVG writer, reports and tests read.

Six families, each hollow or filled; the values are those of `notebook/static/tokens.css`, where their contrast is
documented. Pure: constants and look-ups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flowbook.engine.state_kinds import DISPLAY_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "CHROME",
    "DIFFERENCES",
    "FAMILIES",
    "STATES",
    "Chrome",
    "Family",
    "FamilyName",
    "Shades",
    "StateStyle",
    "Theme",
    "in_order",
    "shades",
    "style_of",
]

Theme = Literal["light", "dark"]
FamilyName = Literal["waiting", "running", "retrying", "paused", "success", "failed", "own"]


@dataclass(frozen=True, slots=True)
class Shades:
    """Four colours of a family in one theme: text, tile, glyph on the tile, and the pale tile."""

    ink: str
    fill: str
    on: str
    tint: str


@dataclass(frozen=True, slots=True)
class Family:
    """A family's colours in both themes."""

    light: Shades
    dark: Shades


@dataclass(frozen=True, slots=True)
class StateStyle:
    """How a state is drawn.

    Attributes:
        family: which colours.
        filled: whether this run did the work, or is doing it; hollow means it didn't, or not yet.
        border: "state" if the task is running or failed, "dashed" if it won't run, else "plain".
    """

    family: FamilyName
    filled: bool
    border: Literal["plain", "state", "dashed"]


@dataclass(frozen=True, slots=True)
class Chrome:
    """Colours that are not a state's, for pictures that stand alone."""

    canvas: str
    surface: str
    text: str
    text_2: str
    outline: str
    edge: str
    rule: str


FAMILIES: Mapping[FamilyName, Family] = {
    "waiting": Family(
        Shades("#5b6068", "#848a93", "#ffffff", "#eff0f2"), Shades("#b3b8bf", "#7c828a", "#111111", "#33363a")
    ),
    "running": Family(
        Shades("#00629a", "#0072b2", "#ffffff", "#e1f0f9"), Shades("#6cbfee", "#3a9ddb", "#111111", "#16303f")
    ),
    "retrying": Family(
        Shades("#8a2f68", "#8f2f6c", "#ffffff", "#f9eaf3"), Shades("#eaafd2", "#efb0d4", "#111111", "#3b2533")
    ),
    "paused": Family(
        Shades("#7a5300", "#bc8300", "#ffffff", "#fcf2dc"), Shades("#f2b430", "#f0ad00", "#111111", "#3a2d0c")
    ),
    "success": Family(
        Shades("#006b4d", "#008f68", "#ffffff", "#e0f4ed"), Shades("#3cc79d", "#00a87a", "#111111", "#10352a")
    ),
    "failed": Family(
        Shades("#a63a00", "#b84000", "#ffffff", "#fceae0"), Shades("#ff9a5c", "#e5691a", "#111111", "#41230f")
    ),
}

CHROME: Mapping[Theme, Chrome] = {
    "light": Chrome("#ffffff", "#ffffff", "#212121", "#575757", "#bdbdbd", "#a8a8a8", "#e0e0e0"),
    "dark": Chrome("#111111", "#212121", "#e6e6e6", "#b4b4b4", "#616161", "#6c6c6c", "#424242"),
}

#: Every state's style, in the order in which bars and legends show them.
STATES: Mapping[str, StateStyle] = {
    "Success": StateStyle("success", filled=True, border="plain"),
    "Mapped": StateStyle("success", filled=True, border="plain"),
    "Cached": StateStyle("success", filled=False, border="plain"),
    "Running": StateStyle("running", filled=True, border="state"),
    "Cancelling": StateStyle("running", filled=True, border="state"),
    "Looped": StateStyle("running", filled=True, border="state"),
    "Retrying": StateStyle("retrying", filled=True, border="state"),
    "Paused": StateStyle("paused", filled=True, border="state"),
    "Failed": StateStyle("failed", filled=True, border="state"),
    "TimedOut": StateStyle("failed", filled=True, border="state"),
    "ValidationFailed": StateStyle("failed", filled=True, border="state"),
    "Crashed": StateStyle("failed", filled=True, border="state"),
    "TriggerFailed": StateStyle("failed", filled=False, border="dashed"),
    "Skipped": StateStyle("waiting", filled=False, border="dashed"),
    "Cancelled": StateStyle("waiting", filled=False, border="dashed"),
    "Resume": StateStyle("waiting", filled=False, border="plain"),
    "Submitted": StateStyle("waiting", filled=False, border="plain"),
    "Queued": StateStyle("waiting", filled=False, border="plain"),
    "Scheduled": StateStyle("waiting", filled=False, border="plain"),
    "Pending": StateStyle("waiting", filled=False, border="plain"),
}

#: How a task is drawn where two runs are compared, by the word for why it differs: filled by itself, hollow because of others.
DIFFERENCES: Mapping[str, StateStyle] = {
    "Parameter": StateStyle("own", filled=True, border="state"),
    "Code": StateStyle("own", filled=True, border="state"),
    "State": StateStyle("own", filled=True, border="state"),
    "Output": StateStyle("own", filled=True, border="state"),
    "New": StateStyle("own", filled=True, border="state"),
    "Gone": StateStyle("own", filled=True, border="dashed"),
    "Input": StateStyle("running", filled=False, border="plain"),
    "The same": StateStyle("waiting", filled=False, border="plain"),
}
#: How a task is drawn of which a plan says what will become of it: hollow, since nothing has happened yet.
FORECASTS: Mapping[str, StateStyle] = {
    "Cache hit": StateStyle("success", filled=False, border="plain"),
    "Stays": StateStyle("success", filled=False, border="plain"),
    "Will run": StateStyle("waiting", filled=False, border="plain"),
    "Will wait": StateStyle("paused", filled=False, border="plain"),
    "If any fails": StateStyle("waiting", filled=False, border="plain"),
    "Left out": StateStyle("waiting", filled=False, border="dashed"),
}
_TOLD = {**DIFFERENCES, **FORECASTS}
_OWN = Family(Shades("#00629a", "#212121", "#ffffff", "#e1f0f9"), Shades("#6cbfee", "#e6e6e6", "#111111", "#16303f"))
_RANK = {name: index for index, name in enumerate(DISPLAY_ORDER)}
_UNKNOWN = StateStyle("waiting", filled=False, border="plain")


def style_of(state: str) -> StateStyle:
    """Return how `state` (a class name) is drawn; a user-defined state is drawn as waiting."""
    return STATES.get(state) or _TOLD.get(state, _UNKNOWN)


def shades(state: str, theme: Theme) -> Shades:
    """Return the colours of `state` in `theme`."""
    family = FAMILIES.get(style_of(state).family, _OWN)
    return family.light if theme == "light" else family.dark


def in_order(states: Iterable[str]) -> list[str]:
    """Return `states` in display order; unknown ones come last, by name."""
    return sorted(states, key=lambda name: (_RANK.get(name, len(_RANK)), name))
