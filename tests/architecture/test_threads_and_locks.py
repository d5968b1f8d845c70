"""Every background thread and every lock comes from `flowbook._utils`, and the docs say what each lock guards."""

import re
from pathlib import Path

from flowbook._utils.locks import Rank

_ROOT = Path(__file__).parents[2]
_ALL_MODULES = sorted((_ROOT / "flowbook").rglob("*.py"))
_MODULES = [path for path in _ALL_MODULES if path.parent.name != "_utils"]


def _uses(pattern, modules=_MODULES):
    return [
        f"{path.relative_to(_ROOT)}:{number}"
        for path in modules
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_threads_are_started_by_spawn_alone():
    found = _uses(r"\bthreading\.(Thread|Timer)\(|\bstart_new_thread\b|\bThreadPoolExecutor\(")

    assert found == []


def test_locks_have_a_rank():
    found = _uses(r"\bthreading\.(Lock|RLock)\(|\bthreading\.(Condition|Semaphore|BoundedSemaphore)\(")

    assert found == []


def test_the_documentation_has_a_row_for_every_rank_in_their_order():
    text = (_ROOT / "docs/architecture.md").read_text(encoding="utf-8")

    ranks = re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE)

    assert ranks == [(str(rank.value), rank.name) for rank in Rank]


def test_every_rank_is_used_by_a_lock():
    unused = [rank.name for rank in Rank if not _uses(rf"\bRank\.{rank.name}\b", _ALL_MODULES)]

    assert unused == []
