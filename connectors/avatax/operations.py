"""What the hub does with AvaTax: quote, commit, read and void tax documents.

How a commit stays single. AvaTax has no idempotency header; a document is named by company, code and type, and the
code is the caller's: the invoice's own number. Two calls could record it.

- `createoradjust` may be repeated, but each repeat is an adjustment: it raises the document's version, leaves an
  `Adjusted` revision behind, and overwrites whatever is committed under the code, also what someone else put there.
- `create` refuses a code that is already committed. A resend can therefore never make a second document nor change
  the first, whatever happened before; but its refusal does not give the document.

So the commit is a `create` that is looked up before it is sent again (`probe`): the effect key travels in
`referenceCode`, which lists can be filtered by, and the code stays the accountant's. A corrected invoice is voided and
committed anew; AvaTax frees the code of a void document.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from connectors.avatax.client import (
    address,
    document_path,
    read_object,
    read_request,
    segment,
    settings_of,
    write_request,
)
from connectors.avatax.failures import ABSENT, ALREADY_VOID
from connectors.avatax.settings import AvataxSettings
from connectors.avatax.transactions import INCLUDE, INVOICE, ORDER, model, normal, read_transaction
from hub.sdk.connector import Operation, ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.guards import Look, ReadBefore, Standing
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

_TRANSACTION = {"$ref": "avatax.transaction@v2"}
_BY_CODE_OR_ID = {
    "type": "object",
    "properties": {"code": {"type": "string", "minLength": 1, "maxLength": 50}, "id": {"type": "integer"}},
    "anyOf": [{"required": ["code"]}, {"required": ["id"]}],
}
_VOIDED = {
    "type": "object",
    "properties": {"code": {"type": "string"}, "status": {"const": "Cancelled"}},
    "required": ["status"],
}


async def _quote(session: Session, record: Record) -> Record:
    settings = settings_of(session)
    url = address(settings, "transactions/create", {"$include": INCLUDE})
    return read_transaction(await session.send(write_request(settings, url, model(settings, record, kind=ORDER))))


async def _read(session: Session, record: Record) -> Record:
    settings = settings_of(session)
    if "code" in record:
        # A return may have the invoice's code, so that the type is always named.
        query = {"documentType": INVOICE, "$include": INCLUDE}
        url = address(settings, document_path(settings, record["code"]), query)
    else:
        url = address(settings, f"transactions/{int(record['id'])}", {"$include": INCLUDE})
    return read_transaction(await session.send(read_request(settings, url)))


def _commit(settings: AvataxSettings, record: Record, key: EffectKey) -> Request:
    url = address(settings, "transactions/create", {"$include": INCLUDE})
    return write_request(settings, url, model(settings, record, kind=INVOICE, reference=key))


def _look(settings: AvataxSettings, key: EffectKey) -> Request:
    # Without a date in the filter AvaTax lists the last 30 days only.
    wanted = f"referenceCode eq '{key}' and type eq '{INVOICE}' and date ge '1970-01-01'"
    path = document_path(settings, "").rstrip("/")
    query = {"$filter": wanted, "$include": INCLUDE, "$orderBy": "id DESC", "$top": "10"}
    return read_request(settings, address(settings, path, query))


def _found(response: Response, key: EffectKey) -> Record | None:
    value = read_object(response).get("value")
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise OutcomeUnknown("The answer is not a list of tax documents.", code="unreadable-answer")
    # A document that was adjusted by hand is listed with its old revisions, the latest first; those do not count.
    current = [item for item in value if item.get("status") != "Adjusted"]
    if any(item.get("referenceCode") != key for item in current):
        raise OutcomeUnknown("A document was found that was not asked for.", code="foreign-answer")
    if len(current) > 1:
        ids = ", ".join(str(item.get("id")) for item in current[:5])
        raise FixData("AvaTax has several documents of one write.", code="found-twice", ids=ids)
    return normal(current[0]) if current else None


def _committed_it(request: Request, document: Record) -> bool:
    return bool(loads(request.body)["code"] == document.get("code"))


def _void(settings: AvataxSettings, record: Record, key: EffectKey) -> Request:
    url = address(settings, document_path(settings, record["code"], "void"), {"documentType": INVOICE})
    return write_request(settings, url, {"code": "DocVoided"})


def _voided(response: Response) -> Record:
    answer = read_object(response)
    error = answer.get("error")
    if isinstance(error, dict) and error.get("code") == ALREADY_VOID:
        return {"status": "Cancelled"}
    if answer.get("status") != "Cancelled":
        raise OutcomeUnknown("The answer does not say that the document is void.", code="unreadable-answer")
    return {"code": str(answer.get("code", "")), "status": "Cancelled"}


def _voided_it(request: Request, output: Record) -> bool:
    path = urlsplit(request.url).path
    return not output.get("code") or path.endswith(f"/{segment(output['code'])}/void")


def _document(settings: AvataxSettings, request: Request) -> Request:
    address = urlsplit(request.url)
    return read_request(settings, urlunsplit(address._replace(path=address.path.removesuffix("/void"))))


def _standing(response: Response) -> Standing | None:
    answer = read_object(response)
    if response.status == 404:
        error = answer.get("error")
        if isinstance(error, dict) and error.get("code") == ABSENT:
            return None
        raise OutcomeUnknown("The answer is not AvaTax's.", code="unreadable-answer")
    if not isinstance(answer.get("id"), int) or not isinstance(answer.get("status"), str):
        raise OutcomeUnknown("The answer is not a tax document.", code="unreadable-answer")
    return Standing(version=str(answer["id"]), output={"code": str(answer.get("code", "")), "status": "Cancelled"})


def _is_void(_request: Request, response: Response) -> bool:
    return bool(read_object(response).get("status") == "Cancelled")


OPERATIONS: tuple[Operation, ...] = (
    ReadOperation(
        name="transaction.quote",
        title="Ask for the tax of a sale; nothing is recorded",
        input={"$ref": "avatax.order@v2"},
        output=_TRANSACTION,
        read=_quote,
    ),
    WriteOperation(
        name="transaction.commit",
        title="Record the tax of an invoice in a committed document",
        input={"$ref": "avatax.invoice@v2"},
        output=_TRANSACTION,
        idempotency=Idempotency.PROBE,
        request=_commit,
        result=read_transaction,
        about=_committed_it,
        look=_look,
        found=_found,
        # A document is listed as soon as it is answered; this is for a request that is still being worked on. Sent
        # again too early it would be refused, not doubled.
        settle=5.0,
        undo="transaction.void",
    ),
    WriteOperation(
        name="transaction.void",
        title="Void the committed document of an invoice",
        input={"$ref": "avatax.void@v2"},
        output=_VOIDED,
        # Void is an end state: asking for it again changes nothing. But the code of a void document is free, so that
        # it may name another one by then; the id says which one is meant.
        idempotency=Idempotency.UPSERT,
        request=_void,
        result=_voided,
        about=_voided_it,
        guard=ReadBefore(
            look=Look(current=_document, standing=_standing, holds=_is_void),
            expects=lambda record: str(record["id"]),
            reads_back=False,
        ),
    ),
    ReadOperation(
        name="transaction.read",
        title="Read the document of an invoice, by its code or AvaTax's id",
        input=_BY_CODE_OR_ID,
        output=_TRANSACTION,
        read=_read,
    ),
)
