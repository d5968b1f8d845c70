"""Connections with the server of a store: none stays open when the client is closed meanwhile."""

from __future__ import annotations

from flowbook.store.api_client import ApiClient


class Connection:
    """A connection that is open until it is closed."""

    def __init__(self):
        self.sock = object()

    def close(self):
        self.sock = None


class Answer:
    """An answer that was read to its end; at this moment, another thread closes the client."""

    def __init__(self, client):
        self._client = client

    @property
    def will_close(self):
        self._client.close()
        return False


def test_a_connection_is_closed_that_comes_back_while_the_client_is_closed():
    client, connection = ApiClient("http://127.0.0.1:4200", "token"), Connection()

    client._give_back(connection, Answer(client))

    assert connection.sock is None
    assert client._idle == []
