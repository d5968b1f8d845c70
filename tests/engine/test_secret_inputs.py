"""Which inputs are secrets: judged by their own names, and by those of the parameters that they come from."""

from flowbook import Flow, Parameter, task, unmapped
from flowbook.engine.secret_inputs import all_secret_inputs, judged_by, secret_inputs, secret_parameter
from flowbook.flow_run.fingerprint import fingerprint
from flowbook.store.stored_graph import read_graph
from tests.graphs import build
from tests.graphs import task as spec


@task
def load(t, place="JFK"):
    return t, place


@task
def load_each(t, key):
    return t, key


@task
def send(several, api_key):
    return several, api_key


def _flow():
    with Flow("secretive") as flow:
        token, month = Parameter("api_token"), Parameter("month", default=7)
        loaded = load(token, month)
        load_each.map(Parameter("passwords", default=["a"]), unmapped(month))
        send([month, {"it": [token]}], loaded)
    return flow


def _graphs():
    flow = _flow()
    graph = flow.compile()
    return graph, read_graph(fingerprint(flow, graph))


def test_an_input_is_judged_by_the_parameter_that_it_comes_from_also_in_a_record():
    asked = (
        ("load", "t"),
        ("load", "place"),
        ("load_each[3]", "t"),
        ("load_each", "key"),
        ("send", "several"),
        ("send", "api_key"),
        ("send", "other"),
        ("gone", "t"),
    )

    found = [[judged_by(graph, *each) for each in asked] for graph in _graphs()]

    assert found == [["api_token", "place", "passwords", "key", "api_token", "api_key", "other", "t"]] * 2


def test_a_collection_is_as_secret_as_a_parameter_in_it():
    for graph in _graphs():
        found = {key: secret_parameter(graph, key) for key in graph.specs}

        assert {key: name for key, name in found.items() if not graph.specs[key].gathers} == {
            "api_token": "api_token",
            "month": "",
            "passwords": "passwords",
            "load": "",
            "load_each": "",
            "send": "",
        }
        assert [name for key, name in found.items() if graph.specs[key].gathers] == ["api_token"] * 3


def test_the_arguments_that_are_secret_are_told_of_one_task_or_of_all():
    for graph in _graphs():
        found = all_secret_inputs(graph)

        assert {key: names for key, names in found.items() if not graph.specs[key].gathers} == {
            "load": {"t"},
            "load_each": {"t"},
            "send": {"several"},
        }
        assert all(secret_inputs(graph, key) == names for key, names in found.items())
        assert secret_inputs(graph, "load_each[0]") == {"t"}
        assert secret_inputs(graph, "month") == frozenset()


def test_the_key_of_another_task_is_no_name_of_what_it_gives():
    graph = build(spec("read_password"), spec("use", "read_password"))

    assert secret_parameter(graph, "read_password") == ""
    assert all_secret_inputs(graph) == {}
