"""The labextension that the wheel installs: its version is part of each address, and every file that it names is there."""

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHARED = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
HERE = ROOT / "flowbook" / "notebook" / "labextension"
WHERE = "share/jupyter/labextensions/jupyter-flowbook"


def test_addresses_name_the_version_of_the_package():
    version = PYPROJECT["project"]["version"]
    package = json.loads((HERE / "package.json").read_text())

    assert package["version"] == version
    assert package["jupyterlab"]["_build"]["load"] == f"static/remoteEntry.{version}.js"
    assert {target for target in SHARED.values() if "static" in target} == {
        f"{WHERE}/static/remoteEntry.{version}.js",
        f"{WHERE}/static/{version}",
    }


def test_everything_that_is_shared_is_there():
    assert [source for source in SHARED if not (ROOT / source).exists()] == []
    assert (HERE / json.loads((HERE / "package.json").read_text())["jupyterlab"]["schemaDir"]).is_dir()


def test_the_settings_have_the_defaults_that_the_extension_takes_without_them():
    schema = json.loads((HERE / "schemas" / "jupyter-flowbook" / "plugin.json").read_text())
    text = (ROOT / "flowbook" / "notebook" / "static" / "lab_settings.js").read_text()
    defaults = re.search(r"DEFAULTS = \{(.*?)\}", text)

    told = {name: found["default"] for name, found in schema["properties"].items()}
    assert defaults is not None
    assert json.loads("{" + re.sub(r"(\w+):", r'"\1":', defaults[1]) + "}") == told
