"""The contract of all tax engines, in requests to this one.

Every write is `native`: the engine keeps its answer under the effect's key, for as long as the hub keeps its books; by
the key it also tells whether a write was made, so that the refusal of a repeat leaves no doubt. A
void or an adjustment names the version that it means, and the engine itself refuses when another one stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from urllib.parse import quote, urlsplit

from connectors.taxtable.documents import KEY
from connectors.taxtable.settings import TaxtableSettings
from hub.sdk import tax
from hub.sdk.answers import read_object
from hub.sdk.connector import Operation, Record, WriteOperation
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.exact_json import canonical, loads
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

#: Keys are never forgotten: a century.
FOR_EVER = 100 * 365 * 86_400.0
_RESULT = frozenset(tax.SCHEMAS["tax.result@1"]["required"])


def _url(settings: TaxtableSettings, *parts: str) -> str:
    return "/".join([settings.base_url, *(quote(part, safe="") for part in parts)])


def _write(settings: TaxtableSettings, key: EffectKey, body: object, *parts: str) -> Request:
    headers = {"content-type": "application/json", KEY: key}
    return Request(method="POST", url=_url(settings, *parts), headers=headers, body=canonical(body))


async def _ask(session: Session, method: str, body: bytes, *parts: str) -> Record:
    settings = cast("TaxtableSettings", session.settings)
    headers = {"content-type": "application/json"} if body else {}
    request = Request(method=method, url=_url(settings, *parts), headers=headers, body=body)
    return read_object(await session.send(request))


async def ping(session: Session) -> None:
    """Show that the files can be read."""
    await _ask(session, "GET", b"", "ping")


async def _quote(session: Session, record: Record) -> Record:
    return _document(await _ask(session, "QUERY", canonical(record), "quotes"))


async def _read(session: Session, record: Record) -> Record:
    return _document(await _ask(session, "GET", b"", "documents", record.get("kind", "sale"), record["code"]))


async def _resolve(session: Session, record: Record) -> Record:
    answer = await _ask(session, "QUERY", canonical(record), "addresses")
    if not isinstance(answer.get("resolved"), bool):
        raise OutcomeUnknown("The answer does not say whether the place is known.", code="unreadable-answer")
    return answer


def _commit(settings: TaxtableSettings, record: Record, key: EffectKey) -> Request:
    return _write(settings, key, record, "documents")


def _void(settings: TaxtableSettings, record: Record, key: EffectKey) -> Request:
    return _write(settings, key, {"id": record["id"]}, "voids", record.get("kind", "sale"), record["code"])


def _adjust(settings: TaxtableSettings, record: Record, key: EffectKey) -> Request:
    return _write(settings, key, record, "adjustments", record.get("kind", "sale"), record["code"])


def _refund(settings: TaxtableSettings, record: Record, key: EffectKey) -> Request:
    body = {name: value for name, value in record.items() if name != "code"}
    return _write(settings, key, body, "refunds", "sale", record["code"])


def _result(response: Response) -> Record:
    return _document(read_object(response))


def _document(answer: Record) -> Record:
    if not set(answer) >= _RESULT or not isinstance(answer.get("lines"), list):
        raise OutcomeUnknown("The answer is not a tax document.", code="unreadable-answer")
    return answer


def _voided(response: Response) -> Record:
    answer = read_object(response)
    if answer.get("status") != "voided":
        raise OutcomeUnknown("The answer does not say that the document is void.", code="unreadable-answer")
    return {name: answer[name] for name in ("id", "code", "status") if name in answer}


def _look(settings: TaxtableSettings, key: EffectKey) -> Request:
    return Request(method="GET", url=_url(settings, "effects", key))


def _found(response: Response, key: EffectKey) -> Record | None:
    answer = read_object(response)
    if answer.get("key") != key or not isinstance(answer.get("answer", ""), dict | None):
        raise OutcomeUnknown("The answer is not about this key.", code="foreign-answer")
    found: Record | None = answer["answer"]
    return found


def _same_code(request: Request, output: Record) -> bool:
    """Tell whether an answer is about the code that was written: it stands in the body, or in the path.

    A void is about a version too.
    """
    path = urlsplit(request.url).path
    body = loads(request.body)
    wanted = body.get("refund_code") or body.get("code")
    if wanted is None:
        named = path.endswith(f"/{quote(str(output.get('code')), safe='')}")
        return named and bool(body["id"] == output.get("id"))
    return bool(wanted == output.get("code"))


def _recording(
    terms: tax.Terms,
    title: str,
    request: Callable[[TaxtableSettings, Record, EffectKey], Request],
    result: Callable[[Response], Record] = _result,
    undo: str | None = None,
) -> WriteOperation:
    return terms.writing(
        title,
        idempotency=Idempotency.NATIVE,
        request=request,
        result=result,
        about=_same_code,
        look=_look,
        found=_found,
        # A write is made or not made by the time its transaction has ended.
        settle=1.0,
        remembers=FOR_EVER,
        undo=undo,
    )


OPERATIONS: tuple[Operation, ...] = (
    tax.QUOTE.reading("Reckon the tax of a sale; nothing is recorded", _quote),
    _recording(tax.COMMIT, "Record the tax of a sale", _commit, undo=tax.VOID.name),
    _recording(tax.VOID, "Void a recorded document", _void, result=_voided),
    _recording(tax.ADJUST, "Put another version in the place of a recorded document", _adjust),
    _recording(
        tax.REFUND, "Take a sale back by a negative document with the tax of that time", _refund, undo=tax.VOID.name
    ),
    tax.READ.reading("Read a recorded document by its code", _read),
    tax.RESOLVE.reading("Tell whether the tables know a place", _resolve),
)
