"""How names of images are read, and when an image is pulled."""

import sys

import pytest

from flowbook.flow_runners.image_name import ImageName, is_image_name, usual_image

DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("flows", ImageName("flows")),
        ("flows:2", ImageName("flows", "2")),
        ("registry:5000/flows", ImageName("registry:5000/flows")),
        ("registry:5000/team/flows:2", ImageName("registry:5000/team/flows", "2")),
        ("127.0.0.1:5000/flows:2", ImageName("127.0.0.1:5000/flows", "2")),
        ("[::1]:5000/flows", ImageName("[::1]:5000/flows")),
        (f"flows@{DIGEST}", ImageName("flows", None, DIGEST)),
        (f"registry:5000/flows:2@{DIGEST}", ImageName("registry:5000/flows", "2", DIGEST)),
    ],
)
def test_only_a_colon_behind_the_last_slash_begins_a_tag(text, name):
    assert ImageName.parse(text) == name
    assert is_image_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "flows:V2.0_rc-1",
        "localhost/flows",
        "Registry.Example.com:5000/flows",
        "ghcr.io/some-team/a_b/c__d/e.f---g:2",
        DIGEST,
        "0123456789ab",
    ],
)
def test_names_that_engines_take_are_names(text):
    assert is_image_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "my flows", "flows:2 ", "flows\n", "Flows", "team/Flows:2", "-flows", "flows:", "flows:-2", "flows@",
        "flows@sha256:12", "/flows", "flows/", "a//b", "registry:port/flows", "flows:" + "2" * 129, "flows:é", "docker://flows",
    ],
)  # fmt: skip
def test_names_that_no_engine_takes_are_none(text):
    assert not is_image_name(text)


@pytest.mark.parametrize(
    ("text", "given", "policy"),
    [
        ("flows", None, "ALWAYS"),
        ("registry:5000/flows", None, "ALWAYS"),
        ("flows:latest", None, "ALWAYS"),
        ("flows:2", None, "IF_NOT_PRESENT"),
        (f"flows@{DIGEST}", None, "IF_NOT_PRESENT"),
        (f"flows:latest@{DIGEST}", None, "IF_NOT_PRESENT"),
        ("flows:latest", "NEVER", "NEVER"),
        ("flows:2", "ALWAYS", "ALWAYS"),
    ],
)
def test_an_image_is_pulled_always_where_its_name_may_mean_another_one_by_now(text, given, policy):
    assert ImageName.parse(text).pull_policy(given) == policy


def test_the_usual_image_names_this_flowbook_and_this_python():
    name = usual_image()

    assert name.startswith("flowbook:")
    assert name.endswith(f"-python{sys.version_info.major}.{sys.version_info.minor}")
    assert ImageName.parse(name).pull_policy(None) == "IF_NOT_PRESENT"
