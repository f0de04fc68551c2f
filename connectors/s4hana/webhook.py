"""What S/4HANA sends: business events as structured CloudEvents with keys only, and confirmations of journal entries.

SAP signs nothing: whoever sends shows a secret. So nothing in a body is taken for true beyond the keys that it names,
which a flow reads back.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.s4hana.marks import key_part
from connectors.s4hana.settings import S4HanaSettings
from connectors.s4hana.shapes import keys_of
from connectors.s4hana.soap.confirmations import Confirmation, confirmations
from connectors.s4hana.soap.xml import NotXml
from hub.sdk.connector import Webhook
from hub.sdk.errors import FixData, UnreadableWebhook, WebhookRejected
from hub.sdk.exact_json import loads
from hub.sdk.signing import any_matches
from hub.sdk.values import InboundEvent

#: `sap.s4.beh.businesspartner.v1.BusinessPartner.Changed.v1`: the version of the object's events, and of this one.
_TYPE = re.compile(r"sap\.s4\.beh\.\w+\.v(\d{1,4})\.([A-Za-z0-9]+)\.([A-Za-z0-9]+)\.v(\d{1,4})")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,250}[A-Za-z0-9])?")
#: The keys of events, by SAP's name of what they are about, in the order in which they name a record.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "BillingDocument": ("BillingDocument",),
    "BusinessPartner": ("BusinessPartner",),
    "CreditMemoRequest": ("CreditMemoRequest",),
    "JournalEntry": ("CompanyCode", "FiscalYear", "AccountingDocument"),
    "Product": ("Product",),
    "SalesOrder": ("SalesOrder",),
}


def verify(settings: S4HanaSettings, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Trust who shows the secret, as a bearer token or as the password of a basic authorisation.

    Raises `WebhookRejected` with the code `no-signature` or `bad-signature`.
    """
    scheme, _, shown = headers.get("authorization", "").strip().partition(" ")
    if not shown or settings.webhook_secret is None:
        raise WebhookRejected("The webhook shows no secret.", code="no-signature")
    candidates = [shown.strip()] if scheme.lower() == "bearer" else []
    if scheme.lower() == "basic":
        candidates = [_password(shown.strip())]
    if not any_matches(settings.webhook_secret.get_secret_value(), candidates):
        raise WebhookRejected("The webhook shows another secret.", code="bad-signature")


def _password(shown: str) -> str:
    try:
        return base64.b64decode(shown, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def consent(settings: S4HanaSettings, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Consent to webhooks of the host that asks (CloudEvents' abuse protection); deliveries still show the secret."""
    origin = headers.get("webhook-request-origin", "").strip()
    if not _HOST.fullmatch(origin):
        raise WebhookRejected("The sender does not say who it is.", code="no-origin")
    return {"webhook-allowed-origin": origin, "webhook-allowed-rate": "*"}


def parse(body: bytes) -> Sequence[InboundEvent]:
    """Read a business event, or the confirmations of a message; `UnreadableWebhook` for anything else."""
    try:
        if body.lstrip()[:1] == b"<":
            return _confirmed(confirmations(body))
        return [_event(loads(body))]
    except (FixData, NotXml, KeyError, TypeError, ValueError) as error:
        raise UnreadableWebhook("The webhook is no event of S/4HANA.", reason=str(error)[:200]) from error


def _event(value: Any) -> InboundEvent:
    if value["specversion"] != "1.0":
        raise ValueError("specversion must be 1.0")
    identity, kind, source, data = value["id"], value["type"], value["source"], value["data"]
    if not all(isinstance(each, str) and each for each in (identity, kind, source)):
        raise TypeError("id, type and source must be text")
    if not isinstance(data, dict) or not data:
        raise TypeError("data must hold keys")
    about = _TYPE.fullmatch(kind)
    if about is None:
        raise ValueError("the type is not one of S/4HANA's")
    each, name, what, version = about.groups()
    keys = _KEYS.get(name)
    told = {**data, "source": source}
    return InboundEvent(
        external_id=identity,
        type=f"s4hana.{_snake(name)}.{_snake(what)}",
        occurred_at=_moment(value["time"]),
        data=told,
        subject=_subject(data, keys or ()),
        schema=None if keys is None else keys_of(_snake(name), version if each == version else f"{each}.{version}"),
        record=told,
    )


def _subject(data: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Name the record by its keys alone; empty where one is missing or no text, so that no other record is read."""
    found = {name: data.get(name) for name in keys}
    whole = all(isinstance(each, str) and each for each in found.values())
    return "/".join(key_part(name, each) for name, each in found.items()) if whole else ""


def _confirmed(found: Sequence[Confirmation]) -> list[InboundEvent]:
    """Make an event of each confirmation; a message of which none is clear is kept as it came, for a person."""
    if not found:
        raise ValueError("the message confirms nothing")
    if not any(map(_is_clear, found)):
        raise ValueError(f"the confirmation says neither posted nor refused: severity {found[0].severity[:20]!r}")
    return [_confirmation(each) for each in found]


def _is_clear(found: Confirmation) -> bool:
    return found.is_posted or found.is_refused


def _confirmation(found: Confirmation) -> InboundEvent:
    code, _, day = found.reference.partition("-")
    if not found.reference or not found.message_id:
        raise ValueError("the confirmation names no message")
    clear = _is_clear(found)
    # Who took an unclear one for a refusal might post the entry once more: it is another event, and says neither.
    said = {"posted": found.is_posted} if clear else {"severity": found.severity[:20]}
    told = {
        "code": code,
        "posting_date": day,
        **said,
        "accounting_document": found.document,
        "company_code": found.company,
        "fiscal_year": found.year,
        "log": [{"type": each.type, "severity": each.severity, "note": each.note} for each in found.log],
    }
    return InboundEvent(
        external_id=f"confirmation:{found.message_id}{'' if clear else ':unclear'}",
        type=f"s4hana.journal_entry.{'confirmed' if clear else 'unclear'}",
        occurred_at=_moment(found.created),
        data=told,
        subject=code,
        schema="s4hana.journal_entry_confirmed@1",
        record=told,
    )


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time must name its zone")
    return moment.astimezone(UTC)


def _snake(words: str) -> str:
    return _WORD.sub("_", words).lower()


#: The keys of business events, by what they are about in the hub's words.
EVENTS: Mapping[str, tuple[str, ...]] = {_snake(name): keys for name, keys in _KEYS.items()}
WEBHOOK = Webhook(verify=verify, parse=parse, handshake=consent)
