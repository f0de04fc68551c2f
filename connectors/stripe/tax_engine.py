"""Stripe Tax as a tax engine: the contract of all engines, in Stripe's calls.

Stripe records a sale in two calls, a calculation and a transaction made of it, and corrects it by reversals. Of such a
write the document itself is what the hub records, and every call is made of it under a key that is made of the effect's
(`hub.sdk.calls`): within a day Stripe answers each as the first time.

After that day the references see to it that nothing is written twice. No two transactions or reversals may ever have
the same, and each has a part of the effect's key in it; so a repeat is refused where the first one came through.

A transaction is found by its id and by nothing else: Stripe lists none. The id is in the answer to the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any

from connectors.stripe.client import listed, read_object, reading, settings_of, writing
from connectors.stripe.settings import StripeSettings
from connectors.stripe.tax_documents import address_of, calculation, noon
from connectors.stripe.tax_results import CODE, VERSION, calculated, metadata_of, recorded, refuse_another_tax
from connectors.stripe.versions import NEWEST
from connectors.stripe.writing import FOR_EVER, MARK
from hub.sdk import tax
from hub.sdk.answers import read_object as answered_object
from hub.sdk.calls import Calls, Course, carried, half_way
from hub.sdk.connector import Operation, Record, WriteOperation
from hub.sdk.errors import Conflict, FixData, HubError, OutcomeUnknown
from hub.sdk.exact_json import canonical, loads
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

#: So much of an effect's key makes a reference its own.
_OWN = 16
_TAKEN = "resource-already-exists"
_CREATE = ("tax", "transactions", "create_from_calculation")
_REVERSE = ("tax", "transactions", "create_reversal")
_RESULT = frozenset(tax.SCHEMAS["tax.result@1"]["required"])


# --- what the engine is asked ---


async def _quote(session: Session, record: Record) -> Record:
    return await carried(_quoted(settings_of(session), record, None), session.send)


def _quoted(settings: StripeSettings, record: Record, key: EffectKey | None) -> Course[dict[str, Any]]:
    _, result = yield from _calculation(settings, record, key)
    return {**result, "kind": "estimate", "status": "quoted"}


def _claim(response: Response) -> tuple[str, Record]:
    """Say of what shape a calculation or transaction is; its lines come in lists of their own and are no record."""
    answer = answered_object(response)
    kind = answer.get("object")
    if kind not in ("tax.calculation", "tax.transaction"):
        raise OutcomeUnknown("It is neither a calculation nor a transaction.", code="unreadable-answer")
    return f"stripe.{kind}@{NEWEST}", answer


async def _read(session: Session, record: Record) -> Record:
    if not record.get("id"):
        raise FixData(
            "Stripe Tax finds what it recorded by its id alone. Name the `id` that the commit gave.", code="id-needed"
        )
    return await carried(_standing(settings_of(session), record["id"]), session.send)


def _standing(settings: StripeSettings, id: str) -> Course[dict[str, Any]]:
    transaction, lines = yield from _transaction(settings, id)
    said = {"severity": "information", "text": "Stripe Tax does not tell whether it was taken back since."}
    return {**recorded(transaction, lines), "messages": [said]}


async def _resolve(session: Session, record: Record) -> Record:
    """Ask for the tax of one unit at an address: Stripe has no address service, but says where it cannot tax."""
    settings = settings_of(session)
    form = {
        "currency": "usd",
        "customer_details": {"address": address_of(record), "address_source": "shipping"},
        "line_items": [{"amount": 100, "reference": "address"}],
    }
    said = {"severity": "information", "text": "Stripe Tax has no address service; it only says where it can tax."}
    try:
        answer = await session.send(_asking(settings, form, None))
    except FixData as error:
        if error.code != "customer-tax-location-invalid":
            raise
        refused = {"severity": "error", "text": error.detail[:2000]}
        return {"resolved": False, "quality": "not-located", "address": dict(record), "messages": [refused]}
    read_object(answer, "tax.calculation")
    return {"resolved": True, "quality": "taxable-place", "address": dict(record), "messages": [said]}


def _asking(settings: StripeSettings, form: Mapping[str, Any], key: EffectKey | None) -> Request:
    request = writing(settings, "tax", "calculations", form=form, key=key or EffectKey(""))
    if key is not None:
        return request
    # Who only asks needs no key: a second calculation is worth as much as the first.
    headers = {name: value for name, value in request.headers.items() if name != "idempotency-key"}
    return Request(method=request.method, url=request.url, headers=headers, body=request.body)


def _calculation(
    settings: StripeSettings, record: Record, key: EffectKey | None
) -> Course[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Have a document calculated; gives Stripe's calculation, and what it says in the contract's words."""
    form, messages = calculation(settings, record)
    answer = read_object((yield _asking(settings, form, key)), "tax.calculation")
    lines = yield from _lines(settings, "calculations", answer["id"], expand=["data.tax_breakdown"])
    return answer, {**calculated(record, answer, lines), "messages": messages}


def _transaction(settings: StripeSettings, id: str) -> Course[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]]:
    found = read_object((yield reading(settings, "tax", "transactions", id)), "tax.transaction")
    if found["id"] != id:
        raise OutcomeUnknown("Another transaction came than was asked for.", code="foreign-answer")
    return found, (yield from _lines(settings, "transactions", id))


def _lines(settings: StripeSettings, path: str, id: str, **query: Any) -> Course[Sequence[Mapping[str, Any]]]:
    """Go through all lines of a calculation or transaction."""
    found = yield from listed(settings, "tax", path, id, "line_items", query=query)
    if not all("reference" in line for line in found):
        raise OutcomeUnknown("The lines cannot be read.", code="unreadable-answer")
    return found


# --- what it records ---


def _written(*path: str) -> Callable[[Any, Record, EffectKey], Request]:
    """Give what forms the recorded request of a write: the document itself, to the address of the call that counts."""

    def request(settings: StripeSettings, record: Record, key: EffectKey) -> Request:
        formed = writing(settings, *path, form={}, key=key)
        headers = {**formed.headers, "content-type": "application/json"}
        return Request(method="POST", url=formed.url, headers=headers, body=canonical(record))

    return request


def _reference(name: str, key: str) -> str:
    return f"{name} {key[:_OWN]}"


def _key(request: Request, part: str = "") -> EffectKey:
    key = request.headers["idempotency-key"]
    return EffectKey(f"{key}-{part}" if part else key)


def _commit(settings: StripeSettings, request: Request) -> Calls:
    record = loads(request.body)
    found, result = yield from _calculation(settings, record, _key(request, "calculation"))
    refuse_another_tax(record, result)
    made = yield from _create(settings, request, found["id"], result, version=1)
    return _answer({**made})


def _create(
    settings: StripeSettings, request: Request, calculation: str, result: Mapping[str, Any], version: int
) -> Course[dict[str, Any]]:
    """Record what was calculated; gives the contract's result."""
    record, key = loads(request.body), _key(request)
    reference = _reference(record["code"], key)
    form = {
        "calculation": calculation,
        "reference": reference,
        "posted_at": noon(record["date"]),
        "metadata": {MARK: key, **metadata_of(result, version)},
    }
    answer = yield writing(settings, *_CREATE, form=form, key=key)
    transaction = _recorded_as(answer, reference)
    return recorded(transaction, [], known=result)


def _adjust(settings: StripeSettings, request: Request) -> Calls:
    """Take what stands back, and record the other version: what was reversed once cannot be adjusted by another."""
    record, key = loads(request.body), _key(request)
    old, _ = yield from _transaction(settings, record["id"])
    metadata = old.get("metadata") or {}
    if old.get("type") != "transaction" or metadata.get(CODE, record["code"]) != record["code"]:
        raise Conflict("The id is not that of a sale of this code.", code="another-version", id=record["id"])
    version = str(metadata.get(VERSION, "1"))
    found, result = yield from _calculation(settings, record, _key(request, "calculation"))
    refuse_another_tax(record, result)
    form = {
        "mode": "full",
        "original_transaction": record["id"],
        "reference": _reference(f"{record['code']} adjusted", key),
        "metadata": {MARK: key, "concord_why": f"{record['reason']}: {record['description']}"[:500]},
    }
    yield from _reversed(settings, form, _key(request, "reversal"))
    try:
        made = yield from _create(
            settings, request, found["id"], result, version=int(version) + 1 if version.isdigit() else 2
        )
    except HubError as error:
        raise half_way(error) from error
    return _answer(made)


def _void(settings: StripeSettings, request: Request) -> Calls:
    """Reverse a transaction whole, under a reference that only one reversal of it can have."""
    record = loads(request.body)
    if record.get("kind") == "return":
        raise FixData(
            "Stripe Tax reverses no reversal. Record what was sold after all as a sale of its own, by `tax.commit`.",
            code="return-stays",
        )
    form = {
        "mode": "full",
        "original_transaction": record["id"],
        "reference": f"{record['id']} void",
        "metadata": {MARK: _key(request), CODE: record["code"]},
    }
    yield from _reversed(settings, form, _key(request))
    return _answer({"id": record["id"], "code": record["code"], "status": "voided"})


def _refund(settings: StripeSettings, request: Request) -> Calls:
    """Take lines of a sale back with the tax that was recorded; the amounts are the sale's own."""
    record, key = loads(request.body), _key(request)
    sale, lines = yield from _transaction(settings, record["id"])
    if sale.get("type") != "transaction":
        raise Conflict("What is to be taken back is no sale.", code="not-committed", id=record["id"])
    wanted = record.get("lines") or [str(line["reference"]) for line in lines]
    unknown = sorted(set(wanted) - {str(line["reference"]) for line in lines})
    if unknown:
        raise FixData(f"The sale has no line {unknown[0]}.", code="no-such-line", line=unknown[0])
    reference = _reference(record["refund_code"], key)
    back = [line for line in lines if line["reference"] in set(wanted)]
    parts = [
        {
            "original_line_item": line["id"],
            "reference": line["reference"],
            "amount": -line["amount"],
            "amount_tax": -line["amount_tax"],
        }
        for line in back
    ]
    whole = {**sale, "type": "reversal", "reference": reference}
    negative = [{**line, "amount": -line["amount"], "amount_tax": -line["amount_tax"]} for line in back]
    said = {**recorded(whole, negative), "code": record["refund_code"], "date": record["date"], "kind": "return"}
    form = {
        "mode": "partial",
        "original_transaction": record["id"],
        "reference": reference,
        "line_items": parts,
        "metadata": {MARK: key, **metadata_of(said, 1, "return")},
    }
    made = yield from _reversed(settings, form, key)
    result = {name: value for name, value in said.items() if name != "id"} | {"version": 1}
    if made is None:
        text = f"It was recorded before as {reference!r}; Stripe tells its number only in the tax reports."
        return _answer({**result, "messages": [{"severity": "warning", "text": text}]})
    return _answer({**result, "id": made["id"]})


def _reversed(
    settings: StripeSettings, form: Mapping[str, Any], key: EffectKey
) -> Generator[Request, Response, Mapping[str, Any] | None]:
    """Make a reversal; gives None where the very same was made before, as its reference says that is taken."""
    try:
        answer = yield writing(settings, *_REVERSE, form=form, key=key)
    except FixData as refusal:
        if refusal.code == _TAKEN and refusal.facts.get("param") == "reference":
            return None
        raise
    return _recorded_as(answer, form["reference"])


def _recorded_as(answer: Response, reference: str) -> Mapping[str, Any]:
    transaction = read_object(answer, "tax.transaction")
    if transaction.get("reference") != reference:
        raise OutcomeUnknown("Another transaction came than was recorded.", code="foreign-answer")
    return transaction


# --- answers ---


def _answer(record: Record) -> Response:
    return Response(status=200, headers={"content-type": "application/json"}, body=canonical(record))


def _result(required: frozenset[str], response: Response) -> Record:
    try:
        value = loads(response.body)
    except FixData as error:
        raise OutcomeUnknown("The answer is not JSON.", code="unreadable-answer", status=response.status) from error
    if not isinstance(value, dict) or not required <= value.keys():
        raise OutcomeUnknown("The answer is not a tax document.", code="unreadable-answer", status=response.status)
    return value


def _voided(response: Response) -> Record:
    answer = _result(frozenset({"status"}), response)
    if answer["status"] != "voided":
        raise OutcomeUnknown("The answer does not say that the sale is void.", code="unreadable-answer")
    return {name: answer[name] for name in ("id", "code", "status") if name in answer}


def _same_code(request: Request, output: Record) -> bool:
    record = loads(request.body)
    return bool(record.get("refund_code", record["code"]) == output.get("code"))


def _recording(
    terms: tax.Terms,
    title: str,
    path: tuple[str, ...],
    calls: Callable[[StripeSettings, Request], Calls],
    undo: str | None = None,
    result: Callable[[Response], Record] | None = None,
) -> WriteOperation:
    return terms.writing(
        title,
        idempotency=Idempotency.NATIVE,
        request=_written(*path),
        calls=calls,
        result=result or partial(_result, _RESULT),
        about=_same_code,
        # References are never free again, so that a repeat makes nothing twice however late it comes.
        remembers=FOR_EVER,
        undo=undo,
    )


TAX_ENGINE: tuple[Operation, ...] = (
    tax.QUOTE.reading("Ask for the tax of a sale; nothing is recorded", _quote, _claim),
    _recording(tax.COMMIT, "Record the tax of a sale", _CREATE, _commit, undo=tax.VOID.name),
    _recording(tax.VOID, "Take a recorded sale back as if it never took place", _REVERSE, _void, result=_voided),
    _recording(tax.ADJUST, "Take a recorded sale back and record another version of it", _CREATE, _adjust),
    _recording(tax.REFUND, "Take a sale back with the tax of that time, whole or by lines", _REVERSE, _refund),
    tax.READ.reading("Read a recorded sale by its id", _read, _claim),
    tax.RESOLVE.reading("Tell whether Stripe Tax can tax at an address", _resolve),
)
