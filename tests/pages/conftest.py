"""A store of its own with runs, and the server's application over it, called without a network."""

import pytest

from flowbook.store import open_store
from tests.api.conftest import Client, app_with_pages
from tests.pages import flows


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("FLOWBOOK_PROJECT", "pages")
    with open_store() as opened:
        yield opened


@pytest.fixture
def waiting(store):
    """Return the id of a run that waits for a person, at rest."""
    assert store is not None
    return run_of(flows.asking())


@pytest.fixture
def app(store):
    with app_with_pages(store) as made:
        yield made


@pytest.fixture
def call(app):
    return Client(app)


@pytest.fixture
def anybody(app):
    """Call the application without a token."""
    return Client(app, {})


def run_of(flow):
    """Run a flow, recorded, and return the run's id."""
    flow.run(record=True, progress=False)
    return flow.last_run.run_id
