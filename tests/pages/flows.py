"""Flows whose runs are shown on pages."""

import dataclasses
import datetime as dt
import enum
import os
import pathlib
import signal
import sys
import uuid
from pathlib import Path

import pandas as pd

from flowbook import Flow, Parameter, context, task
from flowbook.triggers import manual_only

__all__ = [
    "agreeing",
    "asking",
    "asking_each",
    "broken_off",
    "caching",
    "choosing",
    "connecting",
    "differing",
    "failing",
    "hostile",
    "partly",
]


@task
def load():
    return pd.DataFrame({"carrier": ["EV", "MQ", "B6"] * 100, "flights": range(300), "late": [0.1, None, 0.3] * 100})


@task(trigger=manual_only, deadline=dt.timedelta(hours=8), otherwise="reject", asks="finance")
def approve(report, threshold=15):
    """Are the delays good enough?"""
    return f"{len(report)} rows above {threshold}"


@task
def publish(text):
    return f"published {text}"


@task
def sizes():
    return [1, 2, 3]


@task(trigger=manual_only)
def check(size):
    """Is this size right?"""
    return size


@task
def fail():
    raise ValueError("August is missing")


def asking():
    with Flow("delays") as flow:
        publish(approve(load(), threshold=20))
    return flow


@task
def survive(sizes, place):
    """Kill the process the first time, and leave the id of the run at `place`."""
    file = Path(place)
    if not file.exists():
        file.write_text(context.flow_run_id, "utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
    return sum(sizes)


def broken_off(place):
    with Flow("broken_off") as flow:
        publish(survive(sizes(), place))
    return flow


def asking_each():
    with Flow("each") as flow:
        check.map(sizes())
    return flow


def failing():
    with Flow("jfk_days") as flow:
        fail()
    return flow


class Drawing:
    """Shows itself as HTML with a script."""

    def _repr_html_(self):
        return "<p id=ran></p><script>document.getElementById('ran').textContent = 'ran in ' + origin</script>"


@task
def drawing():
    sys.stdout.write(f"{HURT}\n")
    return Drawing()


@task
def hurt(_):
    raise ValueError(HURT)


HURT = "<img src=x onerror=window.hurt=1><script>window.hurt=1</script>"


def hostile():
    with Flow(f"hostile {HURT}") as flow:
        hurt(drawing())
    return flow


@task(cache_for=dt.timedelta(days=1))
def kept():
    return pd.DataFrame({"carrier": ["EV", "MQ"] * 100, "flights": range(200)})


def caching():
    with Flow("carriers") as flow:
        kept()
    return flow


@task
def numbers(day):
    """Return a table that differs a little from one day to the next, with a column that nobody may see."""
    flights = [29, 6811, 41666] if day == 1 else [6838, 41666, 1326]
    names = ["OO", "MQ", "B6"] if day == 1 else ["MQ", "B6", "EV"]
    urls = [f"https://ana:hunter2@{name}.example" for name in names]
    return pd.DataFrame({"carrier": names, "flights": flights, "api_token": ["hunter2"] * 3, "url": urls})


@task(trigger=manual_only)
def agree(report, threshold, origin, options, dsn, db_password):  # noqa: PLR0913  # one of each kind
    """Is this good enough?"""
    return f"{len(report)} {threshold!r} {origin!r} {options!r} {dsn} {db_password}"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@task
def newest():
    return dt.date(2026, 1, 28)


@task(trigger=manual_only)
def choose(day, level, folder, api_token):
    """Which day is it?"""
    return f"{day!r} {level} {folder} {api_token}"


def choosing():
    """Return a flow with a task that waits with values that have no literal: of another task's, and of the flow's code."""
    with Flow("chosen") as flow:
        choose(newest(), Level.LOW, pathlib.PurePosixPath("data"), uuid.UUID(int=7))
    return flow


@task(trigger=manual_only)
def connect(key, table):
    """Is this the right account?"""
    return key, table


def connecting():
    """Return a flow with a task that gets secrets of parameters under names that don't sound so."""
    table = pd.DataFrame({"a": ["hunter2"]})
    with Flow("connected") as flow:
        connect(Parameter("api_token", default="hunter2"), Parameter("db_password", default=table))
    return flow


def agreeing(day=1, threshold=20, origin="JFK"):
    options = {"months": [7, 8], "password": "hunter2"} if day == 1 else {"months": [7, 8, 9], "password": "hunter3"}
    with Flow("agreed") as flow:
        agree(numbers(day), threshold, origin, options, "host=db password=hunter2", "hunter2")
    return flow


#: What loading a `Trap` leaves here.
SPRUNG: list[str] = []


@dataclasses.dataclass
class Trap:
    """Runs code wherever it is loaded."""

    text: str
    carriers: int = 3

    def __reduce__(self):
        return spring, (self.text,)


def spring(text):
    SPRUNG.append(text)
    return Trap(text)


@task
def trapped(day):
    return Trap(f"{HURT} {day}", carriers=day)


@task
def month(day):
    return {"month": 7, "days": [1, 2, day]}


@task
def each(size):
    return size * size


def partly(day=1):
    """Return a flow with a mapped task of which one child fails."""
    with Flow("partly") as flow:
        each.map([1, "a", day])
    return flow


@task
def show(day):
    return Drawing() if day == 1 else HURT


def differing(day=1):
    """Return a flow of which each task gives something else on another day: a table, a tree, a trap, a picture, a mapped list."""
    with Flow("differs") as flow:
        numbers(day)
        trapped(day)
        month(day)
        show(day)
        each.map([1, 2, 2 + day])
    return flow
