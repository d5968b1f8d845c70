"""Every public name stands in the guide."""

from pathlib import Path

import pytest

import flowbook
import flowbook.deployments
import flowbook.engine.cache_validators
import flowbook.executors
import flowbook.triggers
from flowbook import exceptions

GUIDE_FOLDER = Path(__file__).parents[2] / "docs"
GUIDE = (GUIDE_FOLDER / "guide.md").read_text(encoding="utf-8")
MODULES = [flowbook, flowbook.triggers, flowbook.executors, flowbook.engine.cache_validators, exceptions]
#: Helpers between packages, no part of what users write.
INNER = {
    "ForeseenInputs",
    "UnforeseenError",
    "comparable",
    "hash_of",
    "is_users_own",
    "needs_inputs",
    "reads_variables",
    "takes_references",
}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_name_stands_in_the_guide(module):
    lacking = [name for name in module.__all__ if name not in INNER and f"{name}" not in GUIDE]

    assert lacking == []


@pytest.mark.parametrize("option", ["--no-run", "--wait", "--executor", "--param", "--no-record", "--quiet", "--at"])
def test_every_option_of_the_magics_stands_in_the_guide(option):
    assert option in GUIDE


def test_every_public_name_of_deployments_stands_on_the_page_on_schedules():
    page = (GUIDE_FOLDER / "schedules.md").read_text(encoding="utf-8")

    lacking = [name for name in flowbook.deployments.__all__ if name not in page and name not in GUIDE]

    assert lacking == []


def test_every_command_of_deployments_stands_on_the_page_on_schedules_or_in_the_guide():
    page = (GUIDE_FOLDER / "schedules.md").read_text(encoding="utf-8") + GUIDE
    verbs = ["create", "ls", "inspect", "preview", "run", "execute", "pause", "resume", "delete"]

    lacking = [verb for verb in verbs if f"flowbook deployment {verb}" not in page]

    assert lacking == []
