"""The two SOAP endpoints of the journal entry: posted at once with a confirmation, or taken in and posted later."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from connectors.s4hana.sandbox.odata.exchange import Call, Reply
from connectors.s4hana.sandbox.soap import journal
from connectors.s4hana.sandbox.soap.schema import wsdl
from connectors.s4hana.sandbox.soap.xml import Element, Malformed, read

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

ROOT = "/sap/bc/srt/scs_ext/sap"
SCENARIO = "SAP_COM_0002"
SYNCHRONOUS, ASYNCHRONOUS = "journalentrycreaterequestconfi", "journalentrybulkcreationreques"
_SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
_SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"


def answer(tenant: Tenant, name: str, call: Call) -> Reply:
    """Execute a call of one of the endpoints; `name` is the last part of its address."""
    if name not in (SYNCHRONOUS, ASYNCHRONOUS):
        return fault(f"No service is registered at {name}.", status=404)
    synchronous = name == SYNCHRONOUS
    if call.method == "GET" and call.query.lower().startswith("wsdl"):
        text = wsdl(f"{tenant.world.url}{ROOT}/{name}", synchronous=synchronous)
        return Reply(status=200, headers={"content-type": "text/xml; charset=utf-8"}, body=text.encode())
    if call.method != "POST":
        return fault("Only POST is supported.", status=405)
    version = _SOAP_11
    try:
        root = read(call.body)
        if root.name != "Envelope" or root.namespace not in (_SOAP_11, _SOAP_12):
            raise Malformed("The document is no SOAP envelope.")
        version = root.namespace
        body = root.find("Body", version)
        if body is None:
            raise Malformed("The envelope has no body.")
        request = journal.request_of(body)
    except Malformed as error:
        return fault(str(error), version=version)
    if synchronous:
        outcomes = journal.execute(tenant, request)
        text = journal.confirmation(tenant, request, outcomes, interface="JournalEntryCreateRequestConfirmation_In")
        return Reply(status=200, headers={"content-type": _media(version)}, body=_envelope(text, version))
    transport = dict(call.options).get("MessageId", "") or _message_id(root, version)
    tenant.inbox.take(request, transport_id=transport, user=call.user)
    return Reply(status=202)


def _message_id(root: Element, version: str) -> str:
    header = root.find("Header", version)
    found = None if header is None else header.find("MessageID", _ADDRESSING)
    return "" if found is None else found.text.strip()


def fault(text: str, *, version: str = _SOAP_11, status: int = 500) -> Reply:
    """Answer with a fault: the message could not be read at all."""
    if version == _SOAP_12:
        inner = (
            "<soap-env:Fault><soap-env:Code><soap-env:Value>soap-env:Sender</soap-env:Value></soap-env:Code>"
            f'<soap-env:Reason><soap-env:Text xml:lang="en">{escape(text)}</soap-env:Text></soap-env:Reason>'
            "</soap-env:Fault>"
        )
    else:
        inner = (
            "<soap-env:Fault><faultcode>soap-env:Client</faultcode>"
            f'<faultstring xml:lang="en">{escape(text)}</faultstring></soap-env:Fault>'
        )
    return Reply(status=status, headers={"content-type": _media(version)}, body=_envelope(inner, version))


def _media(version: str) -> str:
    return "application/soap+xml; charset=utf-8" if version == _SOAP_12 else "text/xml; charset=utf-8"


def _envelope(text: str, version: str) -> bytes:
    return (
        f'<soap-env:Envelope xmlns:soap-env="{version}"><soap-env:Header/>'
        f"<soap-env:Body>{text}</soap-env:Body></soap-env:Envelope>"
    ).encode()
