"""Outbound messages: SOAP with up to a hundred notifications, acknowledged when all of them are durable.

Salesforce signs nothing. Who sends is shown by a secret in the address that the message is sent to, and where a proxy
checks the client's certificate, by what that says of it. A message has the state in which a record was when it was
sent, comes more than once and in no order, and gives every value as text: a flow reads the record before it relies on
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from connectors.salesforce.answers import is_id, moment
from connectors.salesforce.kinds import KINDS
from connectors.salesforce.logins import is_same_id
from connectors.salesforce.sent_records import complete, schema_of, typed
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.xml_documents import Element, Foul, document
from hub.sdk.connector import QUERY, Acknowledgement, Webhook
from hub.sdk.errors import OutcomeUnknown, UnreadableWebhook, WebhookRejected
from hub.sdk.exact_json import canonical
from hub.sdk.signing import any_matches
from hub.sdk.values import InboundEvent

OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
#: Notifications of one message, by Salesforce's word.
MOST = 100
#: When a record was changed; a message without either says nothing of that.
_TIMES = ("SystemModstamp", "LastModifiedDate")
_NAMES = {kind.object: kind.name for kind in KINDS}
_ANSWER = (
    f'<soapenv:Envelope xmlns:soapenv="{SOAP}"><soapenv:Body><notificationsResponse xmlns="{OUTBOUND}">'
    "<Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>"
)


def verify(settings: SalesforceSettings, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Trust a message that comes to the address with the secret, and from the org of the settings.

    Raises `WebhookRejected` as `no-signature`, `bad-signature`, `other-certificate` or `other-organization`.
    """
    keys = [value for name, value in parse_qsl(headers.get(QUERY, "")[:2000]) if name == "key"]
    secrets = [one.get_secret_value() for one in (settings.webhook_secret, settings.webhook_secret_previous)]
    if not keys:
        raise WebhookRejected("The message's address has no key.", code="no-signature")
    held = [any_matches(secret, keys) for secret in secrets if secret]
    if len(keys) != 1 or not any(held):
        raise WebhookRejected("The message's address has another key.", code="bad-signature")
    if settings.webhook_certificate_header:
        shown = headers.get(settings.webhook_certificate_header.lower(), "")
        if not any_matches(settings.webhook_certificate, [shown]):
            raise WebhookRejected("The message comes with another client certificate.", code="other-certificate")
    try:
        organization = _notifications(body).text("OrganizationId")
    except UnreadableWebhook:
        # Whoever knows the key sent it: it is kept for a person.
        return
    if not is_same_id(organization, settings.organization_id):
        raise WebhookRejected("The message is from another org.", code="other-organization")


def parse(body: bytes) -> Sequence[InboundEvent]:
    """Read the notifications of a message; `UnreadableWebhook` for anything else.

    A record that was deleted since has its id left alone, and no event: the stream tells of the deletion. Where the
    message brings a session, it is left out: it would let its owner in.
    """
    message = _notifications(body)
    found = message.all("Notification")
    if not 0 < len(found) <= MOST:
        raise UnreadableWebhook("The message has no notifications, or too many.", notifications=len(found))
    events = [_event(message, one) for one in found]
    return [event for event in events if event is not None]


def _notifications(body: bytes) -> Element:
    try:
        envelope = document(body)
        inner = envelope.one(SOAP, "Body").one(OUTBOUND, "notifications")
    except Foul as foul:
        raise UnreadableWebhook("This is no outbound message of Salesforce.", reason=str(foul)) from foul
    if (envelope.namespace, envelope.name) != (SOAP, "Envelope"):
        raise UnreadableWebhook("This is no SOAP envelope.")
    if not is_id(inner.text("OrganizationId")) or not is_id(inner.text("ActionId")):
        raise UnreadableWebhook("The message names no org, or no action.")
    return inner


def _event(message: Element, one: Element) -> InboundEvent | None:
    id, objects = one.text("Id"), one.all("sObject")
    if not is_id(id) or len(objects) != 1:
        raise UnreadableWebhook("A notification has no id, or no record.")
    record = objects[0]
    # `sf:Account`: what it is a record of.
    object = record.attributes.get((_INSTANCE, "type"), "").rpartition(":")[2]
    fields: dict[str, Any] = {}
    for child in record.children:
        if child.children or child.name in fields:
            raise UnreadableWebhook("A record's field cannot be read.", field=child.name[:80])
        fields[child.name] = None if child.attributes.get((_INSTANCE, "nil")) in ("true", "1") else child.content
    if not is_id(fields.get("Id")) or not object.isidentifier():
        raise UnreadableWebhook("A notification's record has no id, or is of no object.")
    if len(fields) == 1:
        return None
    times = [fields[name] for name in _TIMES if fields.get(name)]
    if not times:
        raise UnreadableWebhook(
            "The message does not tell when its records were changed: add SystemModstamp to its fields.", object=object
        )
    try:
        changed = moment(times[0])
    except OutcomeUnknown as error:
        raise UnreadableWebhook("A record's time cannot be read.", time=str(times[0])[:40]) from error
    # A notification that is sent again may tell of a later state.
    content = hashlib.sha256(canonical(fields)).hexdigest()[:16]
    name = _NAMES.get(object, object.lower())
    return InboundEvent(
        external_id=f"{id}:{content}",
        type=f"salesforce.{name}.sent",
        occurred_at=changed,
        subject=fields["Id"],
        data={
            "object": object,
            "id": fields["Id"],
            "notification": id,
            "action": message.text("ActionId"),
            "fields": fields,
        },
        schema=schema_of(object),
        record=typed(object, fields),
    )


WEBHOOK = Webhook(
    verify=verify,
    parse=parse,
    complete=complete,
    acknowledgement=Acknowledgement(content_type="text/xml; charset=utf-8", body=_ANSWER.encode()),
)
