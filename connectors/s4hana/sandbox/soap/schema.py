"""The shapes of the journal entry's messages: read from the description beside this, checked, and written as WSDL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources
from xml.sax.saxutils import quoteattr

from connectors.s4hana.sandbox.soap.xml import Element, Malformed

NAMESPACE = "http://sap.com/xi/SAPSCORE/SFIN"
REQUEST, REQUEST_TYPE = "JournalEntryBulkCreateRequest", "JournalEntryCreateRequestBulkMessage"
CONFIRMATION, CONFIRMATION_TYPE = "JournalEntryBulkCreateConfirmation", "JournalEntryCreateConfirmationBulkMessage"
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,7})?Z")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DAYS = re.compile(r"P\d{1,5}D")
_SIZED = re.compile(r"([TX])(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One element of a type: `type` is a simple one in our notation, or the name of another type."""

    name: str
    type: str
    required: bool
    many: bool


@cache
def types() -> Mapping[str, tuple[Part, ...]]:
    """Give all types by name, their elements in the order of the schema."""
    text = (resources.files("connectors.s4hana.sandbox") / "soap" / "journal_entry.txt").read_text(encoding="utf-8")
    found: dict[str, tuple[Part, ...]] = {}
    name = ""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            name = line.strip()
            found[name] = ()
            continue
        found[name] += tuple(_part(word) for word in line.split())
    return found


def _part(word: str) -> Part:
    name, _, kind = word.partition(":")
    return Part(name=name, type=kind.rstrip("!*"), required="!" in kind, many="*" in kind)


def check(element: Element, type_name: str) -> None:
    """Check values against their types; raises `Malformed`. The order of elements and what is missing are not checked.

    SAP's own parser is lenient in both: what is missing is told in the log, where the posting needs it.
    """
    parts = {part.name: part for part in types()[type_name]}
    for child in element.children:
        part = parts.get(child.name)
        if part is None or child.namespace:
            continue  # What the service does not know it does not read.
        if part.type in types():
            check(child, part.type)
        elif not _fits(part.type, child):
            raise Malformed(f"Element {child.name}: {child.text.strip()!r} is not a valid value.")


def _fits(kind: str, element: Element) -> bool:
    text = element.text if kind.startswith("X") else element.text.strip()
    sized = _SIZED.fullmatch(kind)
    if sized is not None:
        return len(text) <= int(sized[2])
    match kind:
        case "A":
            return _decimal(text, 6) and len(element.attributes.get("currencyCode", "")) == 3
        case "P" | "R":
            return _decimal(text, 14)
        case "D":
            return _parsed(date.fromisoformat, text) and len(text) == 10
        case "Z":
            return _MOMENT.fullmatch(text) is not None and _parsed(datetime.fromisoformat, text[:19])
        case "I":
            return text in ("true", "false", "1", "0")
        case "U":
            return _DAYS.fullmatch(text) is not None
        case "G":
            return _GUID.fullmatch(text) is not None
        case _:
            return 0 < len(text) <= 35


def _decimal(text: str, places: int) -> bool:
    if re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", text) is None:
        return False
    try:
        exponent = Decimal(text).as_tuple().exponent
    except InvalidOperation:
        return False
    return isinstance(exponent, int) and -exponent <= places and len(text) <= 30


def _parsed(parse: object, text: str) -> bool:
    try:
        parse(text)  # type: ignore[operator]
    except ValueError:
        return False
    return True


def wsdl(address: str, *, synchronous: bool) -> str:
    """Write the WSDL of one of the two services at an address."""
    operation = "JournalEntryCreateRequestConfirmation_In" if synchronous else "JournalEntryBulkCreationRequest_In"
    return "".join(_wsdl(address, operation, synchronous=synchronous))


def _wsdl(address: str, operation: str, *, synchronous: bool) -> Iterator[str]:
    messages = {REQUEST: REQUEST_TYPE, **({CONFIRMATION: CONFIRMATION_TYPE} if synchronous else {})}
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield (
        f'<wsdl:definitions targetNamespace="{NAMESPACE}" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" '
        'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" '
        f'xmlns:tns="{NAMESPACE}">'
    )
    yield f'<wsdl:types><xsd:schema targetNamespace="{NAMESPACE}" xmlns="{NAMESPACE}">'
    for name, kind in messages.items():
        yield f'<xsd:element name="{name}" type="{kind}"/>'
    yield from _amount()
    for name, parts in types().items():
        yield f'<xsd:complexType name="{name}"><xsd:sequence>'
        yield from (_element(part) for part in parts)
        yield "</xsd:sequence></xsd:complexType>"
    yield "</xsd:schema></wsdl:types>"
    for name in messages:
        yield f'<wsdl:message name="{name}"><wsdl:part name="{name}" element="tns:{name}"/></wsdl:message>'
    output = f'<wsdl:output message="tns:{CONFIRMATION}"/>' if synchronous else ""
    yield (
        f'<wsdl:portType name="{operation}"><wsdl:operation name="{operation}">'
        f'<wsdl:input message="tns:{REQUEST}"/>{output}</wsdl:operation></wsdl:portType>'
    )
    reply = '<wsdl:output><soap:body use="literal"/></wsdl:output>' if synchronous else ""
    yield (
        f'<wsdl:binding name="binding" type="tns:{operation}">'
        '<soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>'
        f'<wsdl:operation name="{operation}">'
        f'<soap:operation soapAction="{NAMESPACE}/{operation}/{operation}Request" style="document"/>'
        f'<wsdl:input><soap:body use="literal"/></wsdl:input>{reply}</wsdl:operation></wsdl:binding>'
    )
    yield (
        '<wsdl:service name="service"><wsdl:port name="binding" binding="tns:binding">'
        f"<soap:address location={quoteattr(address)}/></wsdl:port></wsdl:service></wsdl:definitions>"
    )


def _amount() -> Iterator[str]:
    yield (
        '<xsd:complexType name="Amount"><xsd:simpleContent><xsd:extension base="Amount.Content">'
        '<xsd:attribute name="currencyCode" use="required" type="xsd:token"/>'
        "</xsd:extension></xsd:simpleContent></xsd:complexType>"
        '<xsd:simpleType name="Amount.Content"><xsd:restriction base="xsd:decimal">'
        '<xsd:totalDigits value="28"/><xsd:fractionDigits value="6"/></xsd:restriction></xsd:simpleType>'
    )


_SIMPLE = {
    "D": "xsd:date",
    "Z": "xsd:dateTime",
    "I": "xsd:boolean",
    "P": "xsd:decimal",
    "R": "xsd:decimal",
    "U": "xsd:duration",
    "G": "xsd:token",
    "A": "Amount",
}


def _element(part: Part) -> str:
    bounds = ("" if part.required else ' minOccurs="0"') + (' maxOccurs="unbounded"' if part.many else "")
    if part.type in types():
        return f'<xsd:element name="{part.name}" type="{part.type}"{bounds}/>'
    if part.type in _SIMPLE:
        return f'<xsd:element name="{part.name}" type="{_SIMPLE[part.type]}"{bounds}/>'
    sized = _SIZED.fullmatch(part.type)
    base, length = ("xsd:token", 35) if sized is None else (_BASES[sized[1]], int(sized[2]))
    return (
        f'<xsd:element name="{part.name}"{bounds}><xsd:simpleType><xsd:restriction base="{base}">'
        f'<xsd:maxLength value="{length}"/></xsd:restriction></xsd:simpleType></xsd:element>'
    )


_BASES = {"T": "xsd:token", "X": "xsd:string"}
