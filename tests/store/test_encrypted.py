"""An encrypted way to PostgreSQL: who answers is believed by the authority's file that the URL names, and by no other.

The server that the tests start has no TLS of its own, so a proxy before it speaks it, as PostgreSQL begins it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from hub.errors import HubError
from hub.sandbox.certificates import Flaw, issue
from hub.store import postgres as stored
from tests import postgres

pytestmark = pytest.mark.processes

#: What a client asks first: whether the server speaks TLS.
_ASKED = b"\0\0\0\x08\x04\xd2\x16\x2f"
UNKNOWN = "certificate verify failed"


@pytest.fixture
def way(databases: postgres.Databases) -> Iterator[Way]:
    """Give an encrypted way to a database without tables; its certificate is chosen by the test."""
    made = Way(databases.bare())
    yield made
    made.close()


class Way:
    """A proxy that takes TLS off; `context` is the certificate with which it answers."""

    def __init__(self, url: str) -> None:
        """Listen."""
        self._url = make_url(url)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, **query: str) -> str:
        """Give the database's URL over this way."""
        found = self._url.set(host="localhost", port=self._listening.getsockname()[1], query=query)
        return found.render_as_string(hide_password=False)

    def close(self) -> None:
        """Take nobody more."""
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._one, args=self._listening.accept()[:1], daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        # A client that does not believe us goes.
        with contextlib.suppress(OSError), client:
            assert client.recv(len(_ASKED)) == _ASKED
            client.sendall(b"S")
            closed = self.context.wrap_socket(client, server_side=True)
            with closed, socket.create_connection((self._url.host, self._url.port)) as server:
                threading.Thread(target=_pass, args=(closed, server), daemon=True).start()
                _pass(server, closed)


def _pass(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while some := one.recv(65_536):
            other.sendall(some)
    for each in (one, other):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def refused(url: str) -> str:
    """Give why the hub does not connect; nothing where it does."""
    try:
        with stored.reading(url) as connection:
            return "" if connection.execute(text("SELECT 1")).scalar_one() == 1 else "nothing"
    except HubError as error:
        return str(error)


def test_who_answers_is_believed_by_the_file_that_the_url_names(way: Way, tmp_path: Path) -> None:
    way.context, authority = issue(tmp_path, "localhost")
    (tmp_path / "other").mkdir()
    _, other = issue(tmp_path / "other", "localhost")
    assert refused(way.url(sslmode="verify-full", sslrootcert=str(authority))) == ""
    assert UNKNOWN in refused(way.url(sslmode="verify-full", sslrootcert=str(other)))
    way.context, authority = issue(tmp_path, "localhost", flaw=Flaw.EXPIRED)
    assert UNKNOWN in refused(way.url(sslmode="verify-full", sslrootcert=str(authority)))


def test_the_drivers_own_authorities_are_those_of_a_variable(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sslrootcert=system` believes nobody without it, also where the machine has a list of public authorities."""
    way.context, authority = issue(tmp_path, "localhost")
    url = way.url(sslmode="verify-full", sslrootcert="system")
    assert UNKNOWN in refused(url)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    assert refused(url) == ""
