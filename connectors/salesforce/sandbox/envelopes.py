"""The SOAP of outbound messages: what is sent, and whether an answer acknowledges it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape

from connectors.salesforce.sandbox.schema import DECIMALS, Field
from connectors.salesforce.sandbox.soql.scope import reader
from connectors.salesforce.sandbox.values import show_moment_in_bulk, write_number

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.messages import Notification, Subscription
    from connectors.salesforce.sandbox.org import Org

_OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


def notifications(org: Org, subscription: Subscription, sent: Sequence[Notification]) -> bytes:
    """Write a message; the records are read now, and of one that is gone only the id is left."""
    session = '<SessionId xsi:nil="true"/>'
    if subscription.with_session:
        session = f"<SessionId>{escape(org.logins.session_for_messages())}</SessionId>"
    place = f"{org.world.url}/services/Soap"
    inner = "".join(_notification(org, subscription, one) for one in sent)
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<soapenv:Envelope xmlns:soapenv="{_SOAP}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n <soapenv:Body>\n'
        f'  <notifications xmlns="{_OUTBOUND}">\n'
        f"   <OrganizationId>{org.organization_id}</OrganizationId>\n"
        f"   <ActionId>{subscription.id}</ActionId>\n   {session}\n"
        f"   <EnterpriseUrl>{place}/c/68.0/{org.organization_id[:15]}</EnterpriseUrl>\n"
        f"   <PartnerUrl>{place}/u/68.0/{org.organization_id[:15]}</PartnerUrl>\n"
        f"{inner}  </notifications>\n </soapenv:Body>\n</soapenv:Envelope>"
    )
    return text.encode()


def _notification(org: Org, subscription: Subscription, one: Notification) -> str:
    kind, record = org.schema.get(subscription.kind), org.store.get(one.record)
    lines = [f"     <sf:Id>{one.record}</sf:Id>\n"]
    for name in subscription.fields:
        field = kind.field(name)
        if field is None or name == "Id" or record is None:
            continue
        value = _text(field, reader(field)(record))
        if value is not None:
            lines.append(f"     <sf:{name}>{escape(value)}</sf:{name}>\n")
    return (
        f"   <Notification>\n    <Id>{one.id}</Id>\n"
        f'    <sObject xsi:type="sf:{kind.name}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">\n'
        f"{''.join(lines)}    </sObject>\n   </Notification>\n"
    )


def _text(field: Field, value: Any) -> str | None:
    if value is None or isinstance(value, dict):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if field.type == "datetime":
        return show_moment_in_bulk(value)
    if field.type in DECIMALS and isinstance(value, Decimal):
        return write_number(value)
    return str(value)


class _Foul(Exception):
    """The answer declares entities, which nobody needs to acknowledge anything."""


def is_acknowledged(body: bytes) -> bool:
    """Tell whether an answer is well-formed SOAP that says `true`."""
    found: list[str] = []
    within: list[str] = []

    def begin(name: str, _attributes: Any) -> None:
        within.append(name)
        if name == f"{_OUTBOUND} Ack":
            found.append("")

    def text(part: str) -> None:
        if within and within[-1] == f"{_OUTBOUND} Ack":
            found[-1] += part

    def refuse(*_facts: Any) -> None:
        raise _Foul

    parser = ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda _name: within.pop()
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (ExpatError, _Foul):
        return False
    return [one.strip() for one in found] in (["true"], ["1"])
