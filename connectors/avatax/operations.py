"""What the hub does with AvaTax: the contract of all tax engines, in AvaTax's calls.

How a commit stays single. AvaTax has no idempotency header; a document is named by company, code and type, and the
code is the caller's: the invoice's own number. Two calls could record it.

- `createoradjust` may be repeated, but each repeat is an adjustment: it raises the document's version, leaves an
  `Adjusted` revision behind, and overwrites whatever is committed under the code, also what someone else put there.
- `create` refuses a code that is already committed. A resend can therefore never make a second document nor change
  the first, whatever happened before; but its refusal does not give the document.

So the commit is a `create` that is looked up before it is sent again (`probe`): the effect key travels in
`referenceCode`, which lists can be filtered by, and the code stays the accountant's. A refund makes a document of its
own and is looked up in the same way. An adjustment takes the place of what stands, so it is an `upsert`: the document
is read before and after, by the number that each revision has of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from connectors.avatax.answered import DRIFTED, drifted
from connectors.avatax.client import (
    address,
    document_path,
    read_request,
    segment,
    settings_of,
    write_request,
)
from connectors.avatax.failures import ABSENT, ALREADY_VOID
from connectors.avatax.models import REASONS, address_model, commit_model, quote_model, recorded_type
from connectors.avatax.results import INCLUDE, claim, messages, named, read_result, result
from connectors.avatax.settings import AvataxSettings
from hub.sdk import tax
from hub.sdk.answers import read_object
from hub.sdk.connector import Operation, Record, WriteOperation
from hub.sdk.errors import FixData, HubError, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.guards import Look, ReadBefore, Standing
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

#: Found so roughly that the place may lie in another jurisdiction.
_ROUGH = frozenset({"NotCoded", "CountryCentroid", "RegionCentroid", "PartialCentroid"})


async def _quote(session: Session, record: Record) -> Record:
    settings = settings_of(session)
    url = address(settings, "transactions/create", {"$include": INCLUDE})
    return _looked_at(read_object(await session.send(write_request(settings, url, quote_model(settings, record)))))


async def _read(session: Session, record: Record) -> Record:
    settings = settings_of(session)
    url = _document_url(settings, record["code"], recorded_type(record), include=True)
    return _looked_at(read_object(await session.send(read_request(settings, url))))


async def _resolve(session: Session, record: Record) -> Record:
    settings = settings_of(session)
    body = {**address_model(record), "textCase": "Mixed"}
    url = address(settings, "addresses/resolve")
    answer = read_object(await session.send(write_request(settings, url, body)))
    if not isinstance(answer.get("address"), dict):
        raise OutcomeUnknown("The answer does not name the address that was asked for.", code="unreadable-answer")
    found = answer.get("validatedAddresses")
    best = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else None
    told = messages(answer.get("messages"))
    # The answer is a success also for an address that nobody knows.
    quality = str(answer.get("resolutionQuality") or "NotCoded")
    sure = best is not None and quality not in _ROUGH and not any(one["severity"] == "error" for one in told)
    return {
        "resolved": sure,
        "quality": quality,
        "address": _found_address(best) if sure and best is not None else dict(record),
        "messages": told,
    }


def _found_address(best: Record) -> Record:
    names = {"line1": "line1", "line2": "line2", "city": "city", "region": "region", "postal_code": "postalCode"}
    made = {ours: best[theirs] for ours, theirs in names.items() if isinstance(best.get(theirs), str) and best[theirs]}
    return {**made, "country": str(best.get("country") or "US")}


def _commit(settings: AvataxSettings, record: Record, key: EffectKey) -> Request:
    url = address(settings, "transactions/create", {"$include": INCLUDE})
    return write_request(settings, url, commit_model(settings, record, key))


def _look(settings: AvataxSettings, key: EffectKey) -> Request:
    # Without a date in the filter AvaTax lists the last 30 days only.
    wanted = f"referenceCode eq '{key}' and date ge '1970-01-01'"
    path = document_path(settings, "").rstrip("/")
    query = {"$filter": wanted, "$include": INCLUDE, "$orderBy": "id DESC", "$top": "10"}
    return read_request(settings, address(settings, path, query))


def _found(response: Response, key: EffectKey) -> Record | None:
    value = read_object(response).get("value")
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise OutcomeUnknown("The answer is not a list of tax documents.", code="unreadable-answer")
    if any("referenceCode" not in item for item in value):
        raise _for_a_person(drifted("missing-field", "value[].referenceCode", what="required"))
    if any(item["referenceCode"] != key for item in value):
        raise OutcomeUnknown("A document was found that was not asked for.", code="foreign-answer")
    # A document that was adjusted by hand is listed with its old revisions, the latest first; those do not count.
    # One of which only old revisions carry the key was adjusted by the hub: it was recorded all the same.
    current = [item for item in value if item.get("status") != "Adjusted"] or value[:1]
    if len(current) > 1:
        ids = ", ".join(str(item.get("id")) for item in current[:5])
        raise FixData("AvaTax has several documents of one write.", code="found-twice", ids=ids)
    return _looked_at(current[0]) if current else None


def _looked_at(transaction: Record) -> Record:
    """Give what was only read in the contract's words; what cannot be read is the same whenever it is looked at."""
    try:
        return result(transaction)
    except OutcomeUnknown as error:
        raise _for_a_person(error) from error


def _for_a_person(error: OutcomeUnknown) -> HubError:
    return FixData(error.detail, code=error.code, **error.facts) if error.code == DRIFTED else error


def _recorded_it(request: Request, document: Record) -> bool:
    body = loads(request.body)
    return bool(body.get("code", body.get("refundTransactionCode")) == document.get("code"))


def _refund(settings: AvataxSettings, record: Record, key: EffectKey) -> Request:
    url = _document_url(settings, record["code"], recorded_type({}), "refund", include=True)
    lines = record.get("lines")
    body: dict[str, object] = {
        "refundTransactionCode": record["refund_code"],
        "refundDate": record["date"],
        "refundType": "Partial" if lines else "Full",
        "referenceCode": key,
    }
    return write_request(settings, url, {**body, "refundLines": list(lines)} if lines else body)


def _adjust(settings: AvataxSettings, record: Record, key: EffectKey) -> Request:
    url = _document_url(settings, record["code"], recorded_type(record), "adjust", include=True)
    body = {
        "adjustmentReason": REASONS[record["reason"]],
        "adjustmentDescription": record["description"],
        "newTransaction": commit_model(settings, record, key),
    }
    return write_request(settings, url, body)


def _adjusted_it(request: Request, document: Record) -> bool:
    return bool(loads(request.body)["newTransaction"]["code"] == document.get("code"))


def _is_adjusted(request: Request, response: Response) -> bool:
    wanted = loads(request.body)["newTransaction"]["referenceCode"]
    answer = read_object(response)
    if "referenceCode" not in answer:
        raise _for_a_person(drifted("missing-field", "referenceCode", what="required"))
    return bool(answer["referenceCode"] == wanted)


def _void(settings: AvataxSettings, record: Record, key: EffectKey) -> Request:
    return write_request(
        settings, _document_url(settings, record["code"], recorded_type(record), "void"), {"code": "DocVoided"}
    )


def _voided(response: Response) -> Record:
    answer = read_object(response)
    error = answer.get("error")
    if isinstance(error, dict) and error.get("code") == ALREADY_VOID:
        return {"status": "voided"}
    document = named(answer)
    if document.named("status") != "Cancelled":
        raise OutcomeUnknown("The answer does not say that the document is void.", code="unreadable-answer")
    return {"code": document.named("code"), "status": "voided"}


def _voided_it(request: Request, output: Record) -> bool:
    path = urlsplit(request.url).path
    return not output.get("code") or path.endswith(f"/{segment(output['code'])}/void")


def _document(settings: AvataxSettings, request: Request) -> Request:
    """Form the read of the document that a void or an adjustment is about."""
    written = urlsplit(request.url)
    kind = dict(parse_qsl(written.query))["documentType"]
    path = written.path.rpartition("/")[0]
    query = urlencode({"documentType": kind, "$include": INCLUDE}, safe="$,")
    return read_request(settings, urlunsplit(written._replace(path=path, query=query)))


def _standing(response: Response) -> Standing | None:
    answer = read_object(response)
    if response.status == 404:
        error = answer.get("error")
        if isinstance(error, dict) and error.get("code") == ABSENT:
            return None
        raise OutcomeUnknown("The answer is not AvaTax's.", code="unreadable-answer")
    found = _looked_at(answer)
    # Each revision has a number of its own.
    return Standing(version=found["id"], output=found)


def _standing_void(response: Response) -> Standing | None:
    found = _standing(response)
    if found is None:
        return None
    return Standing(version=found.version, output={"code": found.output["code"], "status": "voided"})


def _is_void(_request: Request, response: Response) -> bool:
    return bool(read_object(response).get("status") == "Cancelled")


def _document_url(settings: AvataxSettings, code: str, kind: str, action: str = "", *, include: bool = False) -> str:
    # A return may have the invoice's code, so that the type is always named.
    query = {"documentType": kind, **({"$include": INCLUDE} if include else {})}
    return address(settings, document_path(settings, code, action), query)


def _recording(
    terms: tax.Terms, title: str, request: Callable[[AvataxSettings, Record, EffectKey], Request]
) -> WriteOperation:
    """Declare a write that makes a document of its own, which a void takes back."""
    return terms.writing(
        title,
        idempotency=Idempotency.PROBE,
        request=request,
        result=read_result,
        about=_recorded_it,
        look=_look,
        found=_found,
        # A document is listed as soon as it is answered; this is for a request that is still being worked on. Sent
        # again too early it would be refused, not doubled.
        settle=5.0,
        undo=tax.VOID.name,
    )


OPERATIONS: tuple[Operation, ...] = (
    tax.QUOTE.reading("Ask for the tax of a sale; nothing is recorded", _quote, claim),
    _recording(tax.COMMIT, "Record the tax of a sale in a committed document", _commit),
    tax.VOID.writing(
        "Void a committed document",
        # Void is an end state: asking for it again changes nothing. But the code of a void document is free, so that
        # it may name another one by then; the id says which one is meant.
        idempotency=Idempotency.UPSERT,
        request=_void,
        result=_voided,
        about=_voided_it,
        guard=ReadBefore(
            look=Look(current=_document, standing=_standing_void, holds=_is_void),
            expects=lambda record: str(record["id"]),
            reads_back=False,
        ),
    ),
    tax.ADJUST.writing(
        "Put another version in the place of a committed document",
        idempotency=Idempotency.UPSERT,
        request=_adjust,
        result=read_result,
        about=_adjusted_it,
        guard=ReadBefore(
            look=Look(current=_document, standing=_standing, holds=_is_adjusted),
            expects=lambda record: str(record["id"]),
        ),
    ),
    _recording(tax.REFUND, "Take a sale back by a negative document with the tax of that time", _refund),
    tax.READ.reading("Read a recorded document by its code", _read, claim),
    tax.RESOLVE.reading("Resolve an address of the United States or Canada", _resolve),
)
