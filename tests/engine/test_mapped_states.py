from flowbook.engine.mapped_states import PENDING, child_states, children_of, fill_children, with_children
from flowbook.engine.state import Failed, Mapped, Running, Success


def test_children_come_from_the_table_then_from_the_mapped_state_then_are_pending():
    mapped = Mapped(n_map_states=3, map_states=[Running(), Success(result=2)])
    table = {"m": mapped, "m[0]": Success(result=1)}

    found = child_states("m", mapped, table)

    assert found == [Success(result=1), Success(result=2), PENDING]


def test_filling_in_children_changes_no_state_that_somebody_holds():
    mapped = Mapped(n_map_states=2)
    table = {"a": Success(), "m": mapped, "m[1]": Failed("no"), "m[0]": Success(result=1)}

    fill_children(table)

    assert table["m"].map_states == [Success(result=1), Failed("no")]
    assert mapped.map_states == []


def test_only_the_keys_asked_for_are_filled():
    table = {"m": Mapped(n_map_states=1), "n": Mapped(n_map_states=1), "m[0]": Success(), "n[0]": Success()}

    fill_children(table, ["m", "x"])

    assert (table["m"].map_states, table["n"].map_states) == ([Success()], [])


def test_a_task_that_is_not_mapped_has_no_children():
    state = Success()

    assert with_children("a", state, {}) is state
    assert children_of("a", {"a": state}) == []
    assert children_of("m", {"m": Mapped(n_map_states=2)}) == ["m[0]", "m[1]"]
