"""The form in which a feed tells a fact: a CloudEvents 1.0 envelope in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from hub.model.ambient import of_micros
from hub.sdk import exact_json

CONTENT_TYPE = "application/cloudevents+json"
#: An envelope of more bytes goes without its data; `dataref` says where that is. NATS takes a megabyte unless told
#: otherwise.
LARGEST = 256 * 1024
#: A vendor's name for something may be of any length; so many characters of it stay where it is too long.
_LONG = 256


def envelope_of(row: Mapping[str, Any], *, largest: int = LARGEST) -> bytes:
    """Form the envelope of an outbox row, as `hub.store.outbox.some` gives it, of `largest` bytes at most."""
    told = _attributes(row)
    data = row["data"] if row["event_id"] is None else _payload(row)
    if data is not None:
        more = {"datacontenttype": "application/json", "data": msgspec.Raw(data.encode())}
        whole = exact_json.dumps({**told, **more})
        if len(whole) <= largest:
            return whole
    if row["event_id"] is not None and not _gone(row):
        # The claim check of CloudEvents.
        told["dataref"] = f"/api/events/{row['event_id']}"
    short = exact_json.dumps(told)
    if len(short) <= largest:
        return short
    return exact_json.dumps({name: value[:_LONG] for name, value in told.items()})


def name_of(row: Mapping[str, Any]) -> str:
    """Give what an outbox row is known by in a stream, as a header can hold it: of which connection, and which id."""
    return f"{quote(row['connection'] or '', safe='')}/{quote(row['id'].encode('utf-8', 'surrogatepass'), safe='')}"


def _payload(row: Mapping[str, Any]) -> str | None:
    payload: str | None = row["payload"]
    return None if _gone(row) else payload


def _gone(row: Mapping[str, Any]) -> bool:
    """Tell whether an event's payload was taken away by retention: then it is nowhere."""
    return row["occurred_at"] is None or row["pruned_at"] is not None


def _attributes(row: Mapping[str, Any]) -> dict[str, str]:
    connection, happened = row["connection"], row["occurred_at"]
    found = {
        "specversion": "1.0",
        "id": row["id"],
        "source": f"/concord/{row['environment']}" + ("" if connection is None else f"/{connection}"),
        "type": row["type"],
        "time": _moment(row["at"] if happened is None else happened),
        "recordedtime": _moment(row["at"]),
        # In the order of commits, where texts are compared.
        "sequence": f"{row['position']:020d}",
        "partitionkey": row["key"],
    }
    if row["event_id"] is not None:
        found["eventid"] = row["event_id"]
    if row["subject"]:
        found["subject"] = row["subject"]
    if row["schema"]:
        found["dataschema"] = f"urn:concord:schema:{row['schema']}"
    return found


def _moment(micros: int) -> str:
    return of_micros(micros).isoformat(timespec="microseconds").replace("+00:00", "Z")
