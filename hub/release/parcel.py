"""The files of a workspace as one text, to be sent from the command line to the hub."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping

import msgspec

from hub.errors import FixData
from hub.workspace.loader import MAX_FILES, MAX_TOTAL

#: Files are sent as base64 in JSON, which is compressed and sent as base64 again.
_MOST_BYTES = MAX_TOTAL * 2
_files = msgspec.json.Decoder(dict[str, bytes])


def packed(files: Mapping[str, bytes]) -> str:
    """Give the files as one text."""
    return base64.b64encode(zlib.compress(msgspec.json.encode(dict(files)))).decode()


def unpacked(text: str) -> dict[str, bytes]:
    """Give the files of such a text; `FixData` for what is none, or larger than any workspace."""
    try:
        reading = zlib.decompressobj()
        body = reading.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
        if reading.unconsumed_tail or not reading.eof:
            raise FixData("The workspace is too large, or was cut off.", code="bad-parcel")
        files = _files.decode(body)
    except (ValueError, binascii.Error, zlib.error, msgspec.MsgspecError):
        raise FixData("These are no files of a workspace.", code="bad-parcel") from None
    if len(files) > MAX_FILES:
        raise FixData("The workspace has too many files.", code="bad-parcel", files=len(files))
    return files
