"""Writes docs/canonical.md out of the canonical schemas; run it as a program after changing one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs" / "canonical.md"
#: The order in which they are told: who, what, the documents, the books.
ORDER = (
    "legal_entity",
    "customer",
    "contact",
    "product",
    "price",
    "contract",
    "invoice",
    "invoice_status",
    "credit_memo",
    "payment",
    "refund",
    "tax_document",
    "posted_invoice",
    "posted_credit_memo",
    "journal_entry",
)
_SYSTEMS = {"stripe": "Stripe", "netsuite": "NetSuite", "salesforce": "Salesforce", "sap": "SAP", "avatax": "AvaTax"}
_HEAD = """# Canonical records

The words in which Concord carries business between systems: every mapping into the hub makes one of these, every
mapping out of it reads one. This page is made of the schemas in `schemas/` and says nothing that they do not; after a
change, `python tests/workspace/canonical_document.py` writes it again.

What holds for all of them:

- **Money** is `{"minor": 1234, "currency": "EUR"}`: whole minor units of an ISO 4217 currency, never a fraction of a
  cent, never a binary float. Yen have no minor digits and dinars three. A price for one unit may be less than a cent,
  and is the only amount with a fraction.
- **Dates** (`2026-01-31`) are days at the legal entity; **moments** (`2026-01-31T09:30:00Z`) are UTC. A period goes
  from its first day up to the day on which it has ended, which is not in it.
- **A record names another by its id** in the billing system: `customer_id` holds the `id` of a customer. Ids of other
  systems are in no record: which id here is which id there is kept as crossrefs (`concord crossrefs`), so that a
  record means the same wherever it goes.
- **Nothing else may be in them.** A field that is not listed is a mistake. Those in bold are always there; what else
  is not known is left out.
- **Versions.** `NAME@VERSION`; the compatibility that a series keeps stands in its file
  `schemas/canonical.NAME.yaml`.
- **Books.** Where a record moves accounts, the last lines say which and by how much; the difference that a change
  makes is told in these accounts before it is published ([releases](releases.md)).
"""


def render(schemas: Mapping[str, Mapping[str, Any]]) -> str:
    """Give the document's text for the schemas by name (`canonical.invoice@1`)."""
    return "\n".join([_HEAD, *(line for series in ORDER for line in _record(series, schemas))])


def canonical_schemas() -> dict[str, dict[str, Any]]:
    """Read the canonical schemas by name."""
    paths = sorted((ROOT / "schemas").glob("canonical.*@*.json"))
    return {path.name.removesuffix(".json"): json.loads(path.read_text(encoding="utf-8")) for path in paths}


def _record(series: str, schemas: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    names = [name for name in schemas if name.partition("@")[0] == f"canonical.{series}"]
    for name in names:
        schema = schemas[name]
        yield f"## {schema['title']} (`{name}`)\n"
        yield f"{schema['description']}\n"
        yield from _table(schema, schema)
        for word, part in _parts(schema):
            yield f"\n**{word}**: {part['description'][0].lower()}{part['description'][1:]}\n"
            yield from _table(part, schema)
        yield from _books(schema)
        yield ""


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the objects in a record that are worth a table of their own; money is told once, above all."""
    for word, part in schema.get("$defs", {}).items():
        if word not in ("money", "rate"):
            yield word, part
    for name, field in schema["properties"].items():
        if "properties" in field.get("items", {}):
            yield name, field["items"]


def _table(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    yield "| field | what it holds | meaning | comes from |"
    yield "|---|---|---|---|"
    for name, field in part["properties"].items():
        label = f"**`{name}`**" if name in part.get("required", ()) else f"`{name}`"
        yield f"| {label} | {_kind(field, schema)} | {_cell(field['description'])} | {_sources(field)} |"


def _kind(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "allOf" in field:
        return _kind(field["allOf"][0], schema)
    if "$ref" in field:
        word = field["$ref"].rpartition("/")[2]
        return {"rate": "price of a unit"}.get(word, str(word))
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of {_kind(field['items'], schema) if '$ref' in field['items'] else 'entries'}"
    if field["type"] == "object":
        return "names with values"
    return str(field.get("format") or {"string": "text", "boolean": "yes or no"}.get(field["type"], field["type"]))


def _sources(field: Mapping[str, Any]) -> str:
    sources = field.get("x-sources", {})
    return "<br>".join(f"{_SYSTEMS[system]}: {_code(sources[system])}" for system in _SYSTEMS if system in sources)


def _code(text: str) -> str:
    """Set paths in the type of code; the words between them stay words."""
    if " " not in text:
        return f"`{_cell(text)}`"
    path = re.compile(r"[A-Za-z_][\w]*(?:\[[^\]]*\])?(?:\.[\w@]+(?:\[[^\]]*\])?)+|A_\w+")
    return _cell(path.sub(lambda match: f"`{match.group()}`", text))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _books(schema: Mapping[str, Any]) -> Iterator[str]:
    lines = schema.get("x-postings", ())
    if lines:
        yield "\nIn books:\n"
        for line in lines:
            account = line["account"].removeprefix("=")
            each = f" for each of `{line['each']}`" if "each" in line else ""
            when = f", where `{line['when']}`" if "when" in line else ""
            said = f"`{account}`" if line["account"].startswith("=") else account
            yield f"- {said}: `{line['amount']}`{each}{when}"


if __name__ == "__main__":
    DOCUMENT.write_text(render(canonical_schemas()), encoding="utf-8")
