import pytest

from flowbook.engine.task_keys import child_key, child_keys, is_child_key, parent_key, split_child_key, split_key


def test_a_childs_key_is_read_back():
    assert child_key("load", 3) == "load[3]"
    assert split_key("load[3]") == ("load", 3)
    assert split_child_key("a[1][2]") == ("a[1]", 2)
    assert parent_key("load[12]") == "load"
    assert list(child_keys("load", 3)) == ["load[0]", "load[1]", "load[2]"]


@pytest.mark.parametrize(
    "key",
    ["load", "load[raw]", "load[03]", "load[]", "[3]", "load[-1]", "load[٣]", "load[²]", "load[3", "load[3]x", ""],
)
def test_what_is_not_a_childs_key_is_a_tasks(key):
    assert (split_key(key), parent_key(key), is_child_key(key)) == ((key, None), key, False)


def test_asking_a_tasks_key_for_its_index_names_the_key():
    with pytest.raises(
        ValueError, match=r"^'load\[raw\]' isn't the key of a mapped task's child, such as 'clean\[3\]'\.$"
    ):
        split_child_key("load[raw]")
