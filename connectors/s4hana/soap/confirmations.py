"""What became of journal entries: the confirmation of a posting, synchronous or delivered later.

A failure is HTTP 200 as well: severity 3, and the document 0000000000 or none. A message may hold several entries, of
which each has an end of its own; they are told apart by the id that we gave, never by their place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.s4hana.marks import number
from connectors.s4hana.soap.messages import NAMESPACE
from connectors.s4hana.soap.xml import Node, NotXml, read
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.values import Response

_ROOT = "JournalEntryBulkCreateConfirmation"
_TYPE = re.compile(r"\d{1,3}\([A-Za-z0-9_]{1,20}\)")
#: The sentence that says only that something is wrong; what it is stands behind it.
_GENERAL = "609(RW)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line of the log: what kind (`507(F5)`), how severe (1 to 3), and the words."""

    type: str
    severity: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What became of one entry; `document` is empty where none was posted. `reference` is the id that we gave."""

    reference: str
    message_id: str
    document: str
    company: str
    year: str
    severity: str
    log: Sequence[Message]
    created: str = ""

    @property
    def is_posted(self) -> bool:
        """Tell whether the entry stands; a document with an error contradicts itself, and does not say so."""
        return bool(self.document) and self.severity in ("", "1", "2")

    @property
    def is_refused(self) -> bool:
        """Tell whether it was surely not posted, which an error alone says, without a document."""
        return not self.document and self.severity in ("3", "4")

    @property
    def first_error(self) -> Message | None:
        """Give the first line of the log that says what is wrong."""
        wrong = [each for each in self.log if each.severity in ("3", "4")]
        return next((each for each in wrong if each.type != _GENERAL), wrong[0] if wrong else None)


def confirmations(body: bytes) -> list[Confirmation]:
    """Read a confirmation; raises `NotXml` for anything else."""
    envelope = read(body)
    inner = envelope.first("Body") if envelope.name == "Envelope" else None
    root = None if inner is None else next((each for each in inner.all(_ROOT) if each.namespace == NAMESPACE), None)
    if root is None:
        raise NotXml("it is no confirmation of journal entries")
    return [_confirmation(each) for each in root.all("JournalEntryCreateConfirmation")]


def confirmed(response: Response) -> Confirmation:
    """Read the one confirmation of an answer; `OutcomeUnknown` for any other answer."""
    try:
        found = confirmations(response.body)
    except NotXml as error:
        raise OutcomeUnknown(
            "The answer is no confirmation.", code="unreadable-answer", status=response.status, reason=str(error)
        ) from None
    if len(found) != 1:
        raise OutcomeUnknown(
            "The answer confirms another number of entries.", code="unreadable-answer", count=len(found)
        )
    return found[0]


def _confirmation(node: Node) -> Confirmation:
    head, made, log = node.first("MessageHeader"), node.first("JournalEntryCreateConfirmation"), node.first("Log")
    document = number("" if made is None else made.value("AccountingDocument"))
    items = [] if log is None else list(log.all("Item"))
    messages = [
        Message(type=each.value("TypeID")[:40], severity=each.value("SeverityCode"), note=each.value("Note")[:400])
        for each in items
    ]
    told = "" if log is None else log.value("MaximumLogItemSeverityCode")
    return Confirmation(
        reference="" if head is None else head.value("ReferenceID"),
        message_id="" if head is None else head.value("UUID"),
        document="" if document == "0" else document,
        company="" if made is None else made.value("CompanyCode"),
        year="" if made is None else made.value("FiscalYear"),
        severity=told or max((each.severity for each in messages), default=""),
        log=messages,
        created="" if head is None else head.value("CreationDateTime"),
    )


def code_of(type: str) -> str:
    """Give a kind of message as one of our codes: 507(F5) is sap-f5-507."""
    if not _TYPE.fullmatch(type):
        return "not-posted"
    place, _, kind = type.rstrip(")").partition("(")
    return f"sap-{kind.lower().replace('_', '-')}-{place}"
