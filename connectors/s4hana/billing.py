"""Billing documents: read, and cancelled once; S/4HANA makes them itself of orders and credit memo requests."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from connectors.s4hana.changes import FOR_EVER, TRACE
from connectors.s4hana.marks import number
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.literals import condition
from connectors.s4hana.odata.model import entity_set
from connectors.s4hana.reads import input_of, read
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.calls import Calls, Course
from hub.sdk.connector import Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.values import EffectKey, Idempotency, Request, Response

DOCUMENTS = entity_set("API_BILLING_DOCUMENT_SRV", "A_BillingDocument")
SCHEMA = "s4hana.billing_document@1"
_SAID = {"id": "number of the billing document"}


def request(settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
    """Form the cancellation of a document."""
    formed = requests.calling(settings.base_url, DOCUMENTS, "Cancel", {"BillingDocument": str(record["id"])})
    return Request(method=formed.method, url=formed.url, headers={**formed.headers, TRACE: key})


def calls(settings: S4HanaSettings, formed: Request) -> Calls:
    """Go through the cancellation: where it is refused, what cancels the document already is looked for."""
    try:
        answer = yield formed
        _assert_done(answer)
    except FixData:
        found = yield _looking(settings, formed)
        if not answers.whole(DOCUMENTS, found):
            raise
        return found
    else:
        return answer


def find(settings: S4HanaSettings, formed: Request, key: EffectKey) -> Course[Record | None]:
    """Find what cancels the document; a document is cancelled once at the most."""
    found = yield _looking(settings, formed)
    return result(found) if answers.whole(DOCUMENTS, found) else None


def _looking(settings: S4HanaSettings, formed: Request) -> Request:
    wanted = condition(DOCUMENTS, "CancelledBillingDocument", "eq", document_of(formed))
    select = ("BillingDocument", "CancelledBillingDocument")
    return requests.many(settings.base_url, DOCUMENTS, filter=wanted, select=select)


def document_of(formed: Request) -> str:
    """Give the document that a recorded cancellation is about."""
    return parse_qs(urlsplit(formed.url).query)["BillingDocument"][0].strip("'").replace("''", "'")


def _rows(response: Response) -> list[dict[str, object]]:
    value = answers.envelope(response, DOCUMENTS.version)
    rows = value.get("results")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise OutcomeUnknown("The answer names no cancellation.", code="unreadable-answer", status=response.status)
    return rows


def _assert_done(response: Response) -> None:
    """Raise `FixData` when SAP says under a good status that it did not cancel."""
    for row in _rows(response):
        if str(row.get("SystemMessageType")) in ("E", "A", "X"):
            raise FixData(
                "S/4HANA did not cancel the billing document.",
                code="not-cancelled",
                error=f"{row.get('SystemMessageIdentification')}/{row.get('SystemMessageNumber')}"[:80],
                reason=str(row.get("SystemMessageText"))[:400],
            )


def result(response: Response) -> Record:
    """Give the cancellation's number and the document that it cancels, of the call's own answer or of a look."""
    _assert_done(response)
    row = _rows(response)[0]
    looked = "CancelledBillingDocument" in row
    cancelled = row.get("CancelledBillingDocument") if looked else row.get("BillingDocument")
    made = row.get("BillingDocument") if looked else row.get("CancellationBillingDocument")
    if not isinstance(made, str) or not isinstance(cancelled, str) or not made or not cancelled:
        raise OutcomeUnknown("The answer names no cancellation.", code="unreadable-answer", status=response.status)
    return {"id": number(made), "cancelled": number(cancelled), "code": number(cancelled)}


def about(formed: Request, output: Record) -> bool:
    """Tell whether an answer is about the document that was to be cancelled."""
    return bool(output["code"] == number(document_of(formed)))


READ = read(
    name="billing_document.read",
    title="Read a billing document with items and partners",
    entity=DOCUMENTS,
    schema=SCHEMA,
    key={"id": "BillingDocument"},
    said=_SAID,
)
CANCEL = WriteOperation(
    name="billing_document.cancel",
    title="Cancel a billing document by its opposite",
    input=input_of(_SAID),
    output={
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "number of the cancellation"},
            "cancelled": {"type": "string", "description": "number of what it cancels"},
            "code": {"type": "string", "description": "the same number, by which an answer is told from another's"},
        },
        "required": ["id", "cancelled", "code"],
        "additionalProperties": False,
    },
    idempotency=Idempotency.NATIVE,
    request=request,
    result=result,
    about=about,
    calls=calls,
    find=find,
    remembers=FOR_EVER,
)
