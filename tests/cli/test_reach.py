"""A hub that ends while a command speaks to it is told in words."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.access.local_token import FILE_NAME as TOKEN
from hub.cli import reach
from hub.cli.main import app
from hub.cli.reach import Reached
from hub.errors import Refused
from hub.runtime.address import write_address
from hub.store.sqlite import FILE_NAME


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


def test_a_hub_that_hangs_is_told_soon_and_by_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and says nothing; nobody else opens its data meanwhile."""
    monkeypatch.setattr(reach, "AT_ONCE", 0.2)
    (tmp_path / FILE_NAME).touch()
    (tmp_path / TOKEN).write_text("token")
    with socket.create_server(("127.0.0.1", 0)) as server:
        write_address(tmp_path, f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(Refused, match="does not answer") as refused:
            reach.running_at(tmp_path)
        assert refused.value.code == "no-answer-yet"
        done = CliRunner().invoke(app, ["doctor", "--data", str(tmp_path), "--json"])
    assert done.exit_code == 2
    (first, *others) = json.loads(done.stdout)["findings"]
    assert (first["name"], first["mark"]) == ("hub", "fail")
    assert "disk" in {each["name"] for each in others}
    # Where nobody listens any more, the address is only left over.
    assert reach.running_at(tmp_path) is None
