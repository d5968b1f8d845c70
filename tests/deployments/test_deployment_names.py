"""A deployment is found by its flow and name, by its name, or by its id."""

from __future__ import annotations

import pytest

from flowbook import Flow
from flowbook.deployments import DeploymentSpec
from flowbook.deployments.creation import create_deployments
from flowbook.deployments.deployment_names import find_deployment
from flowbook.exceptions import UnknownDeploymentError


@pytest.fixture
def made(store):
    specs = [
        DeploymentSpec("nightly", Flow("delays")),
        DeploymentSpec("nightly", Flow("prices")),
        DeploymentSpec("weekly", Flow("a/b")),
    ]
    return create_deployments(store, specs)


@pytest.mark.parametrize(
    ("name", "index"), [("delays/nightly", 0), ("prices/nightly", 1), ("weekly", 2), ("a/b/weekly", 2)]
)
def test_a_name_means_one_deployment(name, index, store, made):
    assert find_deployment(store, name) == made[index]


@pytest.mark.parametrize("name", [" a b ", "delays/ a b ", "  delays/plain\n"])
def test_spaces_around_a_name_belong_to_it_if_a_deployment_is_called_so(name, store):
    spaced, plain = create_deployments(
        store, [DeploymentSpec(" a b ", Flow("delays")), DeploymentSpec("plain", Flow("delays"))]
    )

    assert find_deployment(store, name) == (plain if "plain" in name else spaced)


def test_so_does_an_id_or_its_beginning(store, made):
    assert [find_deployment(store, made[1].id), find_deployment(store, made[1].id[:8])] == [made[1]] * 2


def test_a_name_that_several_have_is_refused_with_all_of_them(store, made):
    with pytest.raises(UnknownDeploymentError) as caught:
        find_deployment(store, "nightly")

    assert str(caught.value) == (
        f"2 deployments are called 'nightly': 'delays/nightly' ({made[0].id[:8]}), 'prices/nightly' ({made[1].id[:8]}). "
        "Name one of them so, or by its id."
    )


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "delays/nigtly",
            "There is no deployment 'delays/nigtly' in this store. Did you mean 'delays/nightly'?",
        ),
        ("zzz", "There is no deployment 'zzz' in this store. `flowbook deployment ls` lists them."),
        ("", "'' doesn't name a deployment. Name it by flow and name, 'delays/nightly'."),
        (7, "7 doesn't name a deployment. Name it by flow and name, 'delays/nightly'."),
    ],
)
def test_an_unknown_name_says_what_there_is(name, message, store):
    with pytest.raises(UnknownDeploymentError) as caught:
        find_deployment(store, name)

    assert str(caught.value) == message


def test_an_empty_store_says_how_a_deployment_is_made(store):
    with pytest.raises(UnknownDeploymentError) as caught:
        find_deployment(store, "nightly")

    assert str(caught.value) == (
        "There is no deployment 'nightly': none is made here yet. `flowbook deployment create FILE` makes one."
    )
