"""What is committed: nothing of one machine, locks that hold hashes and no addresses, folders as promised."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Hosts of package registries, written so that this file does not hold them itself.
REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npm" + "js",
    "registry." + "yarn" + "pkg",
    "deb." + "debian.org",
    "security." + "debian.org",
    "conda" + ".anaconda.org",
]
#: Folders that exist on one machine only.
MACHINE = re.compile(r"(?<![\w.}~$*])/(?:work|root|home/\w+|Users/\w+|opt/(?:wheels|pypi))/[\w.]")


def _committed() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def texts():
    """Return the text of every file that is, or is about to be, committed."""
    readable = {}
    for path in _committed():
        content = path.read_bytes()
        if b"\0" not in content:
            readable[path.relative_to(ROOT).as_posix()] = content.decode("utf-8")
    return readable


def test_nothing_that_is_ignored_is_committed():
    command = ["git", "ls-files", "--ignored", "--cached", "--exclude-standard"]

    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert listed.split() == []


@pytest.mark.parametrize("host", REGISTRIES)
def test_no_file_names_the_host_of_a_registry(host, texts):
    naming = [name for name, text in texts.items() if host in text]

    assert naming == []


def test_no_file_names_a_path_of_one_machine(texts):
    found = {name: MACHINE.findall(text) for name, text in texts.items() if MACHINE.search(text)}

    assert found == {}


def test_the_python_lock_holds_names_versions_and_hashes_only(texts):
    name_version = r"[a-z0-9][a-z0-9-]*==[\w.!+]+( ; [\w. '<>=!()]+)?"
    line = re.compile(rf"({name_version}|    --hash=sha256:[0-9a-f]{{64}})( \\)?")

    odd = [text for text in texts["requirements.lock"].splitlines() if not line.fullmatch(text)]

    assert odd == []


def test_every_package_of_the_python_lock_has_a_hash(texts):
    packages = re.split(r"\n(?=[a-z0-9])", texts["requirements.lock"])

    bare = [package for package in packages if "--hash=sha256:" not in package]

    assert bare == []


def test_the_node_lock_holds_versions_and_hashes_and_no_addresses(texts):
    packages = json.loads(texts["package-lock.json"])["packages"]

    odd = [name for name, entry in packages.items() if name and ("resolved" in entry or "integrity" not in entry)]

    assert odd == []


def test_the_locks_are_of_the_wishes_they_stand_beside(texts):
    wished = json.loads(texts["package.json"])["devDependencies"]

    locked = json.loads(texts["package-lock.json"])["packages"][""]["devDependencies"]

    assert locked == wished


def test_every_folder_at_the_top_is_described(texts):
    folders = {name.split("/")[0] for name in texts if "/" in name}

    strange = [folder for folder in sorted(folders) if f"| `{folder}/` |" not in texts["docs/architecture.md"]]

    assert strange == []


def test_each_decision_has_a_number_of_its_own(texts):
    names = sorted(name for name in texts if re.fullmatch(r"docs/decisions/(?!README).*", name))

    numbers = [name.split("/")[-1].partition("-")[0] for name in names]
    assert all(re.fullmatch(r"\d{4}", number) for number in numbers)
    assert numbers == sorted(set(numbers))


def test_every_decision_says_what_else_there_was(texts):
    parts = ["## Decision", "## Instead of", "## So"]

    lacking = {
        name: [part for part in parts if part not in text]
        for name, text in texts.items()
        if name.startswith("docs/decisions/0") and not all(part in text for part in parts)
    }

    assert lacking == {}


def test_the_wheel_carries_everything_in_the_package(tmp_path, texts):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if name.startswith("flowbook/")}
    assert carried == {name for name in texts if name.startswith("flowbook/")}
