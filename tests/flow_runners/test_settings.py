"""What a flow runner is as settings, and what is refused when one is made."""

from pathlib import Path

import pytest

from flowbook.exceptions import ArgumentError, DefinitionError
from flowbook.flow_run.ports import RunToStart
from flowbook.flow_runners import (
    DockerFlowRunner,
    FlowRunnerSettings,
    KubernetesFlowRunner,
    SubprocessFlowRunner,
    UniversalFlowRunner,
    from_settings,
    from_word,
)

EVERY = [
    UniversalFlowRunner(),
    UniversalFlowRunner(env={"MY_VARIABLE": "FOO"}),
    SubprocessFlowRunner(),
    SubprocessFlowRunner(env={"MY_VARIABLE": "FOO"}, condaenv="test", stream_output=False),
    SubprocessFlowRunner(virtualenv=Path("~/flows/venv")),
    DockerFlowRunner(
        env={"A": "1"}, image="registry:5000/flows:2", image_pull_policy="always", networks=["one", "two"],
        network_mode="bridge", labels={"team": "data"}, auto_remove=True, volumes=["/data:/data"], stream_output=False,
    ),
]  # fmt: skip


@pytest.mark.parametrize("flow_runner", EVERY, ids=repr)
def test_settings_give_an_equal_flow_runner(flow_runner):
    settings = flow_runner.to_settings()

    again = from_settings(FlowRunnerSettings(**settings.as_json()))

    assert (type(again), again, hash(again)) == (type(flow_runner), flow_runner, hash(flow_runner))


def test_settings_hold_only_what_was_given():
    given = SubprocessFlowRunner(env={"MY_VARIABLE": "FOO"}, condaenv="test")

    assert given.to_settings() == FlowRunnerSettings("subprocess", {"env": {"MY_VARIABLE": "FOO"}, "condaenv": "test"})


def test_flow_runners_of_different_types_differ():
    assert UniversalFlowRunner() != SubprocessFlowRunner()


def test_a_flow_runner_shows_what_it_was_given():
    given = SubprocessFlowRunner(env={"A": "1"}, stream_output=False)

    assert repr(given) == "SubprocessFlowRunner(env={'A': '1'}, stream_output=False)"


def test_a_preview_hides_values_that_sound_secret_and_passwords_in_urls():
    env = {
        "API_TOKEN": "s3cret",
        "db_password": "s3cret",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "OPENAI_API_KEY": "s3cret",
        "DB": "postgres://ana:s3cret@db/flights",
        "PROXIES": "http://a:s3@cret@one http://b:s3cret@two",
        "TOKENIZER": "fast",
        "PAGE": "https://example.com:80/@ana",
    }

    lines = SubprocessFlowRunner(env=env).preview(RunToStart("id", "f")).splitlines()

    shown = dict(line.split("=", 1) for line in lines if line.split("=", 1)[0] in env)
    assert shown == {
        "API_TOKEN": "'*****'",
        "db_password": "'*****'",
        "AWS_SECRET_ACCESS_KEY": "'*****'",
        "OPENAI_API_KEY": "'*****'",
        "DB": "'postgres://ana:*****@db/flights'",
        "PROXIES": "'http://a:*****@one http://b:*****@two'",
        "TOKENIZER": "fast",
        "PAGE": "https://example.com:80/@ana",
    }


REFUSED = {
    "half a character": (
        lambda: SubprocessFlowRunner(env={"X": "\ud800"}),
        (
            "SubprocessFlowRunner: env has X='\\ud800', which no process can be given. "
            "Leave out what isn't valid Unicode."
        ),
    ),
    "an unknown field": (
        lambda: SubprocessFlowRunner(condenv="test"),
        (
            "SubprocessFlowRunner has no field 'condenv'. Did you mean 'condaenv'? "
            "Its fields: env, condaenv, virtualenv, stream_output."
        ),
    ),
    "a field of another type": (
        lambda: UniversalFlowRunner(image="python"),
        "UniversalFlowRunner has no field 'image'. Its fields: env.",
    ),
    "both environments": (
        lambda: SubprocessFlowRunner(condaenv="test", virtualenv="./venv"),
        "SubprocessFlowRunner was given condaenv='test' and virtualenv='./venv'. A process has one Python: give one of them.",
    ),
    "an env that is no dict": (
        lambda: UniversalFlowRunner(env="A=1"),
        "UniversalFlowRunner(env='A=1') isn't a dict. Give e.g. env={'MY_VARIABLE': 'FOO'}.",
    ),
    "a value that is no text": (
        lambda: UniversalFlowRunner(env={"THREADS": 4}),
        "UniversalFlowRunner: env has THREADS=4, which isn't a text. Write 'THREADS': '4'.",
    ),
    "a name that can't be one": (
        lambda: UniversalFlowRunner(env={"A=B": "1"}),
        "UniversalFlowRunner: env has 'A=B', which can't be a name there. Give a text without '='.",
    ),
    "a secret": (
        lambda: UniversalFlowRunner(env={"FLOWBOOK_SECRET_KEY": "hunter2"}),
        (
            "UniversalFlowRunner: env has FLOWBOOK_SECRET_KEY, a secret, and a flow runner's settings are stored. Set the "
            "variable where the run is started: its process inherits it."
        ),
    ),
    "the token of the API": (
        lambda: UniversalFlowRunner(env={"FLOWBOOK_API_TOKEN": "hunter2"}),
        (
            "UniversalFlowRunner: env has FLOWBOOK_API_TOKEN, a secret, and a flow runner's settings are stored. Set the "
            "variable where the run is started: its process inherits it."
        ),
    ),
    "an empty environment": (
        lambda: SubprocessFlowRunner(condaenv=""),
        "SubprocessFlowRunner(condaenv='') isn't a text. Give e.g. condaenv='test', or leave it out.",
    ),
    "a value with a NUL": (
        lambda: UniversalFlowRunner(env={"WORD": "a\0b"}),
        "UniversalFlowRunner: env has WORD='a\\x00b', which no process can be given. Leave out the NUL.",
    ),
    "an image with a space": (
        lambda: DockerFlowRunner(image="my flows:2"),
        (
            "DockerFlowRunner(image='my flows:2') can't be the name of an image, which is written in lower case but for its "
            "tag. Give e.g. image='registry:5000/flows:2'."
        ),
    ),
    "an image in capitals for a cluster": (
        lambda: KubernetesFlowRunner(image="Team/Flows:2"),
        (
            "KubernetesFlowRunner(image='Team/Flows:2') can't be the name of an image, which is written in lower case but for "
            "its tag. Give e.g. image='registry.example.com/flows:2'."
        ),
    ),
    "an unknown pull policy": (
        lambda: DockerFlowRunner(image_pull_policy="sometimes"),
        "DockerFlowRunner(image_pull_policy='sometimes') isn't known. Give one of 'IF_NOT_PRESENT', 'ALWAYS', 'NEVER'.",
    ),
    "one network as a text": (
        lambda: DockerFlowRunner(networks="backend"),
        "DockerFlowRunner(networks='backend') isn't a list of texts. Give e.g. networks=['backend'].",
    ),
    "a mount that is none": (
        lambda: DockerFlowRunner(volumes=["./data:/data"]),
        (
            "DockerFlowRunner: volumes has './data:/data', which isn't SOURCE:TARGET with absolute paths, or the name of a "
            "volume as the source. Write e.g. '/data:/data' or '/data:/data:ro'."
        ),
    ),
    "networks besides the machine's": (
        lambda: DockerFlowRunner(networks=["backend"], network_mode="host"),
        (
            "DockerFlowRunner was given networks=['backend'] and network_mode='host', and a container of that mode joins no "
            "network. Give one of them."
        ),
    ),
    "a flag that is none": (
        lambda: SubprocessFlowRunner(stream_output="yes"),
        "SubprocessFlowRunner(stream_output='yes') isn't True or False.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_flow_runner_can_be_is_refused(name):
    make, message = REFUSED[name]

    with pytest.raises(ArgumentError) as caught:
        make()

    assert str(caught.value) == message


def test_an_unknown_type_names_those_that_there_are():
    with pytest.raises(DefinitionError) as caught:
        from_settings(FlowRunnerSettings("moon", {}))

    assert str(caught.value) == (
        "There is no flow runner of type 'moon'. The types are 'universal', 'subprocess', 'docker', 'kubernetes'."
    )


@pytest.mark.parametrize(
    ("word", "flow_runner"),
    [
        ("subprocess", SubprocessFlowRunner(stream_output=False)),
        ("docker", DockerFlowRunner(stream_output=False)),
        ("docker:registry:5000/flows:2", DockerFlowRunner(image="registry:5000/flows:2", stream_output=False)),
    ],
)
def test_a_word_of_a_command_line_names_a_flow_runner(word, flow_runner):
    assert from_word(word) == flow_runner
