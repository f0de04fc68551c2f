"""What the demo hears: an answer that nobody can read is none, and is asked for again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hub.proof.http_json import Api, NoAnswer


@contextmanager
def answering(body: bytes) -> Iterator[Api]:
    """Serve one body to whatever is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield Api(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("body", [b'{"total": 11', b"<html>Sign in</html>"])
def test_what_cannot_be_read_is_no_answer(body: bytes) -> None:
    with answering(body) as api:
        for ask in (api.get, api.post):
            with pytest.raises(NoAnswer, match="cannot be read"):
                ask("/v1/invoices/in_1")


def test_numbers_keep_their_digits() -> None:
    with answering(b'{"total": 1.10}') as api:
        assert str(api.get("/")["total"]) == "1.10"
