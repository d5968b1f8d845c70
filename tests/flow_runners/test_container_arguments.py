"""What a run's container is made with: from the fields, the run, and where it is started."""

import shlex

import pytest

from flowbook._utils.versions import versions_here
from flowbook.flow_run.ports import RunToStart
from flowbook.flow_runners.container_arguments import (
    ContainerArguments,
    ContainerFields,
    Surroundings,
    container_arguments,
)

RUN = RunToStart("7c1f09e2", "delays", 4, 3)
LOCAL = Surroundings("http://127.0.0.1:4200")
ELSEWHERE = Surroundings("https://flows.example.com")
GATEWAY = {"host.docker.internal": "host-gateway"}


def made(here=LOCAL, run=RUN, **fields):
    return container_arguments(ContainerFields(**fields), run, here)


def reached(arguments):
    """Return the network, the API's address, and the hosts that a container is given."""
    return arguments.network, arguments.env["FLOWBOOK_API_URL"], arguments.hosts


def test_a_container_is_made_with_these_arguments():
    here = Surroundings("https://flows.example.com", "t0ken", "west", {"HOME": "/srv"})

    found = made(here, image="flows:2", env={"A": "1"}, labels={"team": "data"}, volumes=["/data:/data:ro"])

    assert found == ContainerArguments(
        name="delays-run-4",
        image="flows:2",
        pull="IF_NOT_PRESENT",
        command=("python", "-m", "flowbook.engine", "7c1f09e2"),
        env={
            "A": "1",
            "FLOWBOOK_API_TOKEN": "t0ken",
            "FLOWBOOK_API_URL": "https://flows.example.com",
            "FLOWBOOK_PLACE": "run-7c1f09e2-3",
            "FLOWBOOK_PROGRESS": "0",
            "FLOWBOOK_PROJECT": "west",
            "PYTHONUNBUFFERED": "1",
        },
        labels={
            "flowbook.epoch": "3",
            "flowbook.run-id": "7c1f09e2",
            "flowbook.version": versions_here()["flowbook"],
            "team": "data",
        },
        volumes=("/data:/data:ro",),
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"])
def test_where_the_api_is_on_this_linux_machine_the_container_shares_its_network(host):
    found = made(Surroundings(f"http://{host}:4200"))

    assert reached(found) == ("host", f"http://{host}:4200", {})


def test_elsewhere_than_on_linux_the_container_knows_this_machine_by_a_name():
    found = made(LOCAL._replace(is_linux=False))

    assert reached(found) == (None, "http://host.docker.internal:4200", GATEWAY)


@pytest.mark.parametrize("fields", [{"network_mode": "bridge"}, {"networks": ["bridge"]}])
def test_a_network_of_the_persons_own_is_kept_and_the_machine_known_by_a_name(fields):
    assert reached(made(**fields)) == ("bridge", "http://host.docker.internal:4200", GATEWAY)


@pytest.mark.parametrize("mode", ["host", "container:web"])
def test_a_container_that_shares_a_network_gets_the_address_as_it_is(mode):
    assert reached(made(network_mode=mode)) == (mode, "http://127.0.0.1:4200", {})


def test_an_address_of_the_persons_own_is_kept():
    env = {"FLOWBOOK_API_URL": "http://127.0.0.1:9"}

    found = made(LOCAL._replace(api_url="http://127.0.0.1:9"), env=env, networks=["one"])

    assert reached(found) == ("one", "http://127.0.0.1:9", {})


def test_an_address_by_that_name_is_found_on_linux_too():
    env = {"FLOWBOOK_API_URL": "http://host.docker.internal:4200"}

    found = made(LOCAL._replace(api_url=env["FLOWBOOK_API_URL"]), env=env)

    assert reached(found) == (None, "http://host.docker.internal:4200", GATEWAY)


def test_an_api_elsewhere_needs_nothing():
    assert reached(made(ELSEWHERE)) == (None, "https://flows.example.com", {})


def test_a_user_and_a_path_in_the_address_are_kept():
    found = made(Surroundings("http://ana:pw@localhost:4200/user/ana/flowbook"), network_mode="bridge")

    assert found.env["FLOWBOOK_API_URL"] == "http://ana:pw@host.docker.internal:4200/user/ana/flowbook"


def test_networks_after_the_first_are_joined_before_the_start():
    first = made(networks=["one", "two", "three"])
    beside_a_mode = made(networks=["one", "two"], network_mode="bridge")

    assert (first.network, first.further_networks) == ("one", ("two", "three"))
    assert (beside_a_mode.network, beside_a_mode.further_networks) == ("bridge", ("one", "two"))


def test_flowbooks_own_labels_can_not_be_replaced():
    found = made(labels={"flowbook.run-id": "other", "flowbook.version": "9", "team": "data"})

    assert found.labels["flowbook.run-id"] == "7c1f09e2"
    assert found.labels["flowbook.version"] == versions_here()["flowbook"]
    assert found.labels["team"] == "data"


def test_the_place_of_a_run_can_not_be_replaced_and_other_variables_can():
    found = made(env={"FLOWBOOK_PLACE": "here", "FLOWBOOK_PROJECT": "east", "PYTHONUNBUFFERED": "0"})

    names = ("FLOWBOOK_PLACE", "FLOWBOOK_PROJECT", "PYTHONUNBUFFERED")
    assert [found.env[name] for name in names] == ["run-7c1f09e2-3", "east", "0"]


def test_secrets_and_limits_go_along_and_folders_of_this_machine_do_not():
    environ = {
        "FLOWBOOK_SECRET_DB": "hunter2",
        "FLOWBOOK_LOGGING_LEVEL": "DEBUG",
        "FLOWBOOK_MAX_VALUE_BYTES": "1000",
        "FLOWBOOK_HOME": "/srv/flowbook",
        "FLOWBOOK_KEY_FILE": "/srv/store.key",
        "FLOWBOOK_BLOBS": "/blobs",
        "PATH": "/bin",
    }

    found = made(LOCAL._replace(environ=environ)).env

    assert {name: found.get(name) for name in environ} == {
        "FLOWBOOK_SECRET_DB": "hunter2",
        "FLOWBOOK_LOGGING_LEVEL": "DEBUG",
        "FLOWBOOK_MAX_VALUE_BYTES": "1000",
        **dict.fromkeys(["FLOWBOOK_HOME", "FLOWBOOK_KEY_FILE", "FLOWBOOK_BLOBS", "PATH"]),
    }


@pytest.mark.parametrize(
    ("flow", "name"),
    [
        ("delays", "delays-run-4"),
        ("Übersicht à la carte", "Ubersicht-a-la-carte-run-4"),
        ("-_.x y/z.", "x-y-z-run-4"),
        ("流れ", "flowbook-run-4"),
        ("x" * 500, "x" * 100 + "-run-4"),
    ],
)
def test_a_container_has_the_name_of_its_run_in_letters_that_engines_take(flow, name):
    assert made(run=RUN._replace(flow_name=flow)).name == name


def test_a_preview_is_a_command_that_shows_no_secret():
    here = LOCAL._replace(api_token="t0ken-0123", environ={"FLOWBOOK_SECRET_DB": "hunter2"})
    found = made(
        here, image="flows:2", auto_remove=True, networks=["one", "two"], volumes=["/my data:/data"], env={"A": "b c"}
    )

    command = found.as_command()

    words = shlex.split(command.replace("\\\n", " "))
    assert words[:8] == ["docker", "run", "--detach", "--name", "delays-run-4", "--pull", "missing", "--rm"]
    assert words[-5:] == ["flows:2", "python", "-m", "flowbook.engine", "7c1f09e2"]
    assert [word for word in words if word.startswith(("A=", "FLOWBOOK_API_TOKEN", "FLOWBOOK_SECRET", "/my"))] == [
        "/my data:/data", "A=b c", "FLOWBOOK_API_TOKEN=*****", "FLOWBOOK_SECRET_DB=*****",
    ]  # fmt: skip
    assert "t0ken" not in repr(found)
    assert sorted(found.secrets()) == ["hunter2", "t0ken-0123"]


def test_the_usual_image_is_made_by_people_and_never_pulled():
    usual, asked_for = made(), made(image_pull_policy="ALWAYS")

    assert (usual.image.partition(":")[0], usual.pull, asked_for.pull) == ("flowbook", "NEVER", "ALWAYS")
