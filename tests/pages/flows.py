"""Flows whose runs are shown on pages."""

import datetime as dt
import sys

import pandas as pd

from flowbook import Flow, task
from flowbook.triggers import manual_only

__all__ = ["asking", "asking_each", "caching", "failing", "hostile"]


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
