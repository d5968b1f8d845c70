"""What code does, whichever way the compiler wrote it."""

from __future__ import annotations

import types

import pytest

from flowbook.results.bytecode import read_bytecode

BODY = """
def made(x, y=1):
    with open(math.sqrt(x)) as file, os.path.join(x, math.floor(y)):
        for i in range(3):
            try:
                z = math.sqrt(math.floor(i), key=os.sep)
            except ValueError as error:
                os.path.exists(error)
            finally:
                y += math.pi
            if z and y or math.e:
                continue
    return [math.sqrt(q) for q in x if math.isnan(q)], {k: math.cos(k, *x, **y) for k in x}, (lambda: math.tan(1))


async def waits(x):
    async with math.aopen(x) as file:
        async for q in file:
            await math.sleep(q)
    yield math.e
"""
CHANGES = {
    "another function": ("math.floor(i)", "math.ceil(i)"),
    "another argument": ("key=os.sep", "sep=os.sep"),
    "another exception": ("except ValueError", "except KeyError"),
    "another order": ("if z and y or math.e", "if z and (y or math.e)"),
    "another loop": ("continue", "break"),
    "not called": ("os.path.exists(error)", "os.path.exists"),
}


def _all(source):
    """Return the code objects in a module, without the module's own."""
    found, stack = [], [compile(source, "made.py", "exec", dont_inherit=True)]
    while stack:
        inner = [each for each in stack.pop(0).co_consts if isinstance(each, types.CodeType)]
        found += inner
        stack += inner
    return found


def test_where_a_module_is_imported_makes_no_difference():
    apart, together = _all(BODY), _all(f"import math, os\nfrom os import path\n{BODY}")

    assert [each.co_code for each in apart] != [each.co_code for each in together]
    assert [read_bytecode(each) for each in apart] == [read_bytecode(each) for each in together]


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_something_else_differs(change):
    old, new = CHANGES[change]
    assert old in BODY

    before, after = (
        [(read_bytecode(each), each.co_names, each.co_consts) for each in _all(text)]
        for text in (BODY, BODY.replace(old, new))
    )

    assert before[0] != after[0]


def test_the_globals_that_are_used_are_named():
    (code,) = _all("def count():\n    global total\n    total = len(names) + total\n    del old")
    found = read_bytecode(code)

    assert (found.reads, found.writes) == (("len", "names", "total"), frozenset({"total"}))
