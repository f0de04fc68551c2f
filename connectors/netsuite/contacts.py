"""Contacts: the people at a customer, written under either id, looked for by id, and by their name at their company.

NetSuite takes a name once for each company, so that whoever makes a contact has to see first who has it there.
"""

from __future__ import annotations

from connectors.netsuite.answers import rows
from connectors.netsuite.client import settings_of, suiteql
from connectors.netsuite.upserts import Kind, find, read, upsert_named
from hub.sdk.answers import read_object
from hub.sdk.connector import ReadOperation, Record
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.session import Session

KIND = Kind(record="contact", called="contact", schema="netsuite.contact@2026.1")
UPSERT = upsert_named(KIND, name="contact.upsert")
READ = read(KIND, name="contact.read", title="Read a contact")
FIND = find(KIND, name="contact.find")
#: Capitals make no other name there.
_NAMED = "SELECT id, externalid, entityid, company, isinactive FROM contact WHERE company = ? AND UPPER(entityid) = ?"


async def named(session: Session, wanted: Record) -> Record:
    """Give the contacts of a company that have a name, inactive ones too: `{"contacts": [...]}`, ids as texts."""
    company, name = str(wanted["company"]), str(wanted["name"])
    response = await session.send(suiteql(settings_of(session), _NAMED, [company, name.upper()]))
    found = rows(response)
    if read_object(response).get("hasMore"):
        raise FixData("A company has more contacts of one name than can be.", code="too-many-rows", company=company)
    for row in found:
        if not isinstance(row.get("id"), str) or str(row.get("company")) != company:
            raise OutcomeUnknown("A row was found that was not asked for.", code="foreign-answer")
    return {
        "contacts": [
            {
                "id": row["id"],
                "externalId": row.get("externalid"),
                "name": row.get("entityid"),
                "isInactive": row.get("isinactive") == "T",
            }
            for row in found
        ]
    }


NAMED = ReadOperation(
    name="contact.named",
    title="Find the contacts of a company that have a name",
    input={
        "type": "object",
        "properties": {
            "company": {"type": "string", "pattern": "^[0-9]+$"},
            "name": {"type": "string", "minLength": 1},
        },
        "required": ["company", "name"],
        "additionalProperties": False,
    },
    output={
        "type": "object",
        "properties": {
            "contacts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string"},
                        "externalId": {"type": ["string", "null"]},
                        "name": {"type": ["string", "null"]},
                        "isInactive": {"type": "boolean"},
                    },
                    "required": ["id", "externalId", "name", "isInactive"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["contacts"],
        "additionalProperties": False,
    },
    read=named,
)
