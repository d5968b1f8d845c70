"""What a store offers is offered by one behind the API, too: nothing is forgotten on either side."""

from __future__ import annotations

import inspect

import pytest

from flowbook.store.remote_calls import COMPONENTS
from flowbook.store.remote_components import RemoteCache, RemotePlans

#: By component, what is answered where it is called, and what only the server's own process calls.
_ANSWERED_HERE = {
    "runs": {"recorder", "store_flow", "create_again", "create_to_come_again", "claim_to_begin_again", "flow_counts"},
    "history": {"feed", "log_page", "numbers", "page"},
    "ownership": {"claim_again", "delete_again"},
    "approvals": {"find", "give_back", "use"},
    "requests": {"newest", "version", "send_again", "answer_again"},
    "cache": {"add_again", "entry", "find", "flush", "used"},
    "cache_rows": {"version", "first_ahead", "most_ahead"},
}


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_public_method_of_a_component_is_a_call_or_is_answered_on_the_spot(component):
    kind, calls = COMPONENTS[component]

    public = {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}

    added = "A new method is listed in remote_calls.COMPONENTS, or in _ANSWERED_HERE if only the server's own process calls it."
    assert public - _ANSWERED_HERE.get(component, set()) == set(calls), added


@pytest.mark.parametrize(("component", "kind"), [("cache", RemoteCache), ("plans", RemotePlans)])
def test_a_component_that_derives_from_the_local_one_replaces_each_method_that_reads_the_database(component, kind):
    assert set(COMPONENTS[component][1]) <= set(vars(kind))
