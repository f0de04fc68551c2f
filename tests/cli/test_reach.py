"""A hub that ends while a command speaks to it is told in words."""

from __future__ import annotations

import socket
import threading

import pytest

from hub.cli.reach import Reached
from hub.errors import Refused


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"])
def test_an_answer_that_breaks_off_is_no_traceback(said: bytes) -> None:
    """Neither before the first byte nor in the midst of the body."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Refused, match="The hub does not answer") as refused:
            Reached(f"http://127.0.0.1:{server.getsockname()[1]}", "token").get("/api/events")
        thread.join()
    assert refused.value.code == "no-answer"
