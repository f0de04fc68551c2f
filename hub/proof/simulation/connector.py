"""How the simulated vendors are spoken to: one write of each idempotency kind, a read, a webhook, and a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from hub.errors import (
    FixConnection,
    FixData,
    HubError,
    LimitReached,
    NotFound,
    OutcomeUnknown,
    RetryLater,
    UnreadableWebhook,
    WebhookRejected,
)
from hub.model.effect import EffectKey, Idempotency
from hub.model.event import InboundEvent
from hub.model.exchange import Request, Response
from hub.proof.simulation.vendor import KEEPS_KEYS, SETTLES
from hub.sdk import exact_json
from hub.sdk.auth import FixedHeaders
from hub.sdk.bulk import Bulk, Result
from hub.sdk.connector import Connector, Limits, Page, ReadOperation, Stream, Webhook, WriteOperation
from hub.sdk.guards import Conditional
from hub.sdk.session import Session
from hub.sdk.settings import Settings
from hub.sdk.signing import any_matches, hmac_sha256_hex

NAME = "simulated"
SECRET = b"what only the vendor and the hub know"
#: How old a webhook may be.
FRESH = timedelta(minutes=5)
#: So many requests an account takes at once.
CONCURRENCY = 3

Record = Mapping[str, Any]
_ANY: Mapping[str, Any] = {"type": "object"}
_ID: Mapping[str, Any] = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}


def classify(response: Response) -> HubError | None:
    """Understand the vendors' statuses."""
    status = response.status
    if status < 400:
        return None
    if status == 429:
        return LimitReached(after=_seconds(response.headers.get("retry-after")), status=status)
    if status == 503:
        return RetryLater(after=_seconds(response.headers.get("retry-after")), status=status)
    if status >= 500:
        return OutcomeUnknown(status=status)
    if status == 401:
        return FixConnection(status=status)
    if status == 404:
        return NotFound(status=status)
    return FixData(code=f"refused-{status}", status=status)


def _seconds(text: str | None) -> float | None:
    """Read a Retry-After: seconds or a date; nothing that makes no sense."""
    if text is None:
        return None
    if text.isdigit():
        return float(text)
    try:
        # The date counts from the answer's own, which the vendor gives beside it.
        told, _, now = text.partition("|")
        return max((parsedate_to_datetime(told) - parsedate_to_datetime(now)).total_seconds(), 0.0)
    except ValueError:
        return None


def _post(settings: Settings, path: str, body: Record, headers: Mapping[str, str] | None = None) -> Request:
    return Request(
        method="POST",
        url=f"{settings.base_url}/{path}",
        headers={"content-type": "application/json", **(headers or {})},
        body=exact_json.canonical(body),
    )


def _made(response: Response) -> Record:
    try:
        return {"id": exact_json.loads(response.body)["id"]}
    except (FixData, KeyError, TypeError):
        raise OutcomeUnknown(code="not-an-answer") from None


def _found(response: Response, key: EffectKey) -> Record | None:
    try:
        found = exact_json.loads(response.body)["found"]
        ours = [entry["id"] for entry in found if entry["mark"] == key]
    except (FixData, KeyError, TypeError):
        raise OutcomeUnknown(code="not-an-answer") from None
    if len(ours) > 1:
        raise FixData(code="found-twice")
    return {"id": ours[0]} if ours else None


def _look(kind: str) -> Callable[[Settings, EffectKey], Request]:
    return lambda settings, key: Request(method="GET", url=f"{settings.base_url}/{kind}?mark={key}")


def _reversal(settings: Settings, record: Record, key: EffectKey) -> Request:
    return _post(settings, "reversals", {"name": record["id"], "mark": key})


def _refund(settings: Settings, record: Record, key: EffectKey) -> Request:
    return _post(settings, "refunds", {"name": record["id"]}, {"idempotency-key": key})


def _batch(settings: Settings, items: Sequence[tuple[EffectKey, Record]], key: EffectKey) -> Request:
    return _post(settings, "batches", {"batch": key, "items": [{**record, "mark": mark} for mark, record in items]})


def _rows(response: Response) -> list[Result]:
    try:
        rows = exact_json.loads(response.body)["rows"]
        return [(row["mark"], _row(row)) for row in rows]
    except (FixData, KeyError, TypeError):
        raise OutcomeUnknown(code="not-an-answer") from None


def _row(row: Record) -> Record | HubError:
    return RetryLater(code="busy", status=503) if "error" in row else {"id": row["id"]}


def _state(settings: Settings, record: Record, key: EffectKey) -> Request:
    return Request(
        method="PUT",
        url=f"{settings.base_url}/{record['kind']}/{record['id']}",
        # Nothing newer is overwritten: the vendor compares the version that it holds.
        headers={"content-type": "application/json", "if-not-newer": str(record["version"])},
        body=exact_json.canonical({name: value for name, value in record.items() if name not in {"kind", "id"}}),
    )


async def _read(session: Session, wanted: Record) -> Record:
    url = f"{session.settings.base_url}/entries/{wanted['id']}"
    return _object(await session.send(Request(method="GET", url=url)))


def _object(response: Response) -> dict[str, Any]:
    try:
        value = exact_json.loads(response.body)
    except FixData:
        raise OutcomeUnknown(code="not-an-answer") from None
    if not isinstance(value, dict):
        raise OutcomeUnknown(code="not-an-answer")
    return value


async def _ping(session: Session) -> None:
    await session.send(Request(method="GET", url=f"{session.settings.base_url}/happened"))


def _verify(_settings: Settings, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    timestamp = headers.get("webhook-time", "")
    expected = hmac_sha256_hex(SECRET, timestamp.encode() + b"." + body)
    if not any_matches(expected, [headers.get("webhook-signature", "")]):
        raise WebhookRejected("The webhook's signature does not hold.", code="bad-signature")
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > FRESH:
        raise WebhookRejected("The webhook is too old, or from the future.", code="stale")


def sign(body: bytes, now: datetime) -> dict[str, str]:
    """Give the headers of a webhook."""
    timestamp = str(int(now.timestamp()))
    digest = hmac_sha256_hex(SECRET, timestamp.encode() + b"." + body)
    return {"webhook-time": timestamp, "webhook-signature": digest}


def _parse(body: bytes) -> Sequence[InboundEvent]:
    try:
        return [_event(exact_json.loads(body))]
    except (FixData, KeyError, TypeError, ValueError) as error:
        raise UnreadableWebhook(reason=str(error)[:200]) from error


def _event(value: Any) -> InboundEvent:
    return InboundEvent(
        external_id=value["id"],
        type=f"{NAME}.{value['type']}",
        occurred_at=datetime.fromisoformat(value["at"]),
        subject=value["data"]["id"],
        data=value["data"],
    )


async def _pull(session: Session, cursor: str | None, _since: datetime) -> AsyncIterator[Page]:
    while True:
        url = f"{session.settings.base_url}/happened?after={cursor or 0}"
        page = _object(await session.send(Request(method="GET", url=url)))
        events = [_event(value) for value in page["events"]]
        if not events:
            return
        cursor = str(page["next"])
        yield Page(events=events, cursor=cursor)
        if not page["more"]:
            return


CONNECTOR = Connector(
    name=NAME,
    title="Simulated vendors",
    settings=Settings,
    operations=(
        WriteOperation(
            name="charge.create",
            title="Take a payment; the vendor keeps the key",
            input=_ANY,
            output=_ANY,
            idempotency=Idempotency.NATIVE,
            request=lambda settings, record, key: _post(settings, "charges", record, {"idempotency-key": key}),
            result=_made,
            remembers=KEEPS_KEYS,
            undo="charge.refund",
        ),
        WriteOperation(
            name="charge.refund",
            title="Pay a charge back",
            input=_ID,
            output=_ANY,
            idempotency=Idempotency.NATIVE,
            request=_refund,
            result=_made,
            remembers=KEEPS_KEYS,
        ),
        WriteOperation(
            name="entry.create",
            title="Make an entry that can be looked up by its mark",
            input=_ANY,
            output=_ANY,
            idempotency=Idempotency.PROBE,
            request=lambda settings, record, key: _post(settings, "entries", {**record, "mark": key}),
            result=_made,
            look=_look("entries"),
            found=_found,
            settle=SETTLES,
            undo="entry.reverse",
        ),
        WriteOperation(
            name="entries.create",
            title="Make entries by one request",
            input=_ANY,
            output=_ANY,
            idempotency=Idempotency.PROBE,
            request=lambda settings, record, key: _post(settings, "entries", {**record, "mark": key}),
            result=_made,
            look=_look("entries"),
            found=_found,
            settle=SETTLES,
            undo="entry.reverse",
            bulk=Bulk(size=3, request=_batch, results=_rows),
        ),
        WriteOperation(
            name="entry.reverse",
            title="Take an entry back by a further one",
            input=_ID,
            output=_ANY,
            idempotency=Idempotency.PROBE,
            request=_reversal,
            result=_made,
            look=_look("reversals"),
            found=_found,
            settle=SETTLES,
        ),
        WriteOperation(
            name="state.put",
            title="Write the whole state of something",
            input=_ANY,
            output=_ANY,
            idempotency=Idempotency.UPSERT,
            request=_state,
            result=_made,
            guard=Conditional(refused=frozenset({"refused-409"})),
        ),
        WriteOperation(
            name="notice.send",
            title="Send a notice; nobody can tell afterwards",
            input=_ANY,
            output=_ANY,
            idempotency=Idempotency.UNSAFE,
            request=lambda settings, record, key: _post(settings, "notices", record),
            result=_made,
        ),
        ReadOperation(name="entry.read", title="Read an entry", input=_ANY, output=_ANY, read=_read),
    ),
    authorizer=lambda settings: FixedHeaders({"authorization": "Bearer simulated"}),
    classify=classify,
    ping=_ping,
    webhook=Webhook(verify=_verify, parse=_parse),
    streams=(Stream(name="happened", title="All that has happened", pull=_pull),),
    limits=Limits(concurrency=CONCURRENCY),
)
