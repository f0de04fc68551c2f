"""HTTP as the hub's own door speaks it: uvicorn's fast parser, with a limit that this one does not bring."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: A request's line and headers, in bytes; nobody of the money path sends a tenth of it.
MAX_HEAD = 64 * 1024


class HeadTooLarge(Exception):
    """A request's head is longer than anybody's; the parser answers 400 for it."""


class Wire(HttpToolsProtocol):
    """One connection."""

    #: What has come of a head that has not ended yet.
    _begun = 0
    _in_head = False
    _size = 0

    def data_received(self, data: bytes) -> None:
        """Read on; a head that does not end is not waited for."""
        super().data_received(data)
        if self._in_head:
            self._begun += len(data)
            if self._begun > MAX_HEAD and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._in_head, self._begun, self._size = True, 0, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Raises `HeadTooLarge`."""
        self._size += len(name) + len(value)
        if self._size > MAX_HEAD:
            raise HeadTooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._in_head = False
        super().on_headers_complete()
