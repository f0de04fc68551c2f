"""What every tax engine's connector offers, in the same words: quote, commit, void, adjust, refund, resolve an address.

A flow names these operations and leaves it to a policy which connection, and so which engine, they go to.

| operation | | what it does |
|---|---|---|
| `tax.quote` | read | the tax of a sale; nothing is recorded |
| `tax.commit` | write | the same document, recorded under its code, for the return of its date |
| `tax.void` | write | a recorded document never took place |
| `tax.adjust` | write | another version in the place of a recorded document |
| `tax.refund` | write | a sale taken back, in whole or by lines, by a negative document with the tax of that time |
| `tax.read` | read | a recorded document as it stands |
| `address.resolve` | read | an address as the engine knows it |

A document that stands in a filed return can be neither voided nor adjusted, at any engine: `filed` is the refusal, and
`tax.refund` is the way. A sale of which only a part of a line is taken back is committed as a document of kind
`return`, with negative amounts and the sale's date as `tax_date`.

Amounts are exact decimals in major units of the document's currency. Tax is what the engine says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.errors import FixData
from hub.sdk.connector import Connector, JsonSchema, ReadOperation, Record, WriteOperation
from hub.sdk.schemas import load
from hub.sdk.session import Session
from hub.sdk.values import Response

#: The contract's schemas by name; a connector that fulfils it carries them among its own.
SCHEMAS = load(Path(__file__).parent / "tax_schemas")

#: Why a document is neither voided nor adjusted any more.
DOCUMENT_FILED = "document-filed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One operation of the contract: its name, what it takes and gives, and whether it writes."""

    name: str
    takes: str
    gives: str
    writes: bool = False

    @property
    def input(self) -> JsonSchema:
        """Give the operation's `input`."""
        return {"$ref": self.takes}

    @property
    def output(self) -> JsonSchema:
        """Give the operation's `output`."""
        return {"$ref": self.gives}

    def reading(
        self,
        title: str,
        read: Callable[[Session, Record], Awaitable[Record]],
        claim: Callable[[Response], tuple[str, Record]] | None = None,
    ) -> ReadOperation:
        """Declare an engine's read of this name and shape; `claim` says of what shape the engine's own answer is."""
        return ReadOperation(
            name=self.name,
            title=title,
            input=self.input,
            output=self.output,
            read=read,
            about=_has_the_code_asked_for,
            claim=claim,
        )

    def writing(self, title: str, **declared: Any) -> WriteOperation:
        """Declare an engine's write of this name and shape; `declared` is the rest of `WriteOperation`."""
        return WriteOperation(name=self.name, title=title, input=self.input, output=self.output, **declared)


def _has_the_code_asked_for(input: Record, output: Record) -> bool:
    """Tell whether what came is about the document that was asked for, where both name one."""
    return "code" not in input or "code" not in output or bool(input["code"] == output["code"])


QUOTE = Terms(name="tax.quote", takes="tax.document@1", gives="tax.result@1")
COMMIT = Terms(name="tax.commit", takes="tax.document@1", gives="tax.result@1", writes=True)
VOID = Terms(name="tax.void", takes="tax.void@1", gives="tax.voided@1", writes=True)
ADJUST = Terms(name="tax.adjust", takes="tax.adjustment@1", gives="tax.result@1", writes=True)
REFUND = Terms(name="tax.refund", takes="tax.refund@1", gives="tax.result@1", writes=True)
READ = Terms(name="tax.read", takes="tax.name@1", gives="tax.result@1")
RESOLVE = Terms(name="address.resolve", takes="tax.address@1", gives="tax.resolved_address@1")
CONTRACT = (QUOTE, COMMIT, VOID, ADJUST, REFUND, READ, RESOLVE)


def filed(**facts: object) -> FixData:
    """Give the refusal of a change to a document that stands in a filed return."""
    return FixData(
        "The document stands in a filed return and can be neither voided nor adjusted. Correct it by a document of its "
        "own: `tax.refund` takes it back with the tax of that time, and what is right is committed anew.",
        code=DOCUMENT_FILED,
        **facts,
    )


def shortcomings(connector: Connector) -> list[str]:
    """Tell in sentences what a connector lacks to be a tax engine; nothing when it fulfils the contract.

    Whether it does what it declares is for the standard battery, which tries each operation against its sandbox.
    """
    found = []
    for terms in CONTRACT:
        operation = connector.operation(terms.name)
        if operation is None:
            found.append(f"It has no operation `{terms.name}`.")
            continue
        if isinstance(operation, WriteOperation) != terms.writes:
            found.append(f"`{terms.name}` must be a {'write' if terms.writes else 'read'}.")
        if operation.input != terms.input or operation.output != terms.output:
            found.append(f"`{terms.name}` must take `{terms.takes}` and give `{terms.gives}`.")
        if isinstance(operation, ReadOperation) and operation.gives is not None:
            found.append(f"`{terms.name}` must give the same for every connection.")
    wrong = sorted(name for name, schema in SCHEMAS.items() if connector.schemas.get(name) != schema)
    if wrong:
        found.append(f"It carries other schemas than the contract's: {', '.join(wrong)}.")
    commit, void = connector.operation(COMMIT.name), connector.operation(VOID.name)
    if isinstance(commit, WriteOperation) and isinstance(void, WriteOperation) and commit.undo != void.name:
        found.append("`tax.commit` must be taken back by `tax.void`.")
    return found


def uncompared(document: Record, result: Record) -> list[str]:
    """Name the lines that were sent with the tax that was billed, and of which a result does not say the engine's own.

    Whether what was billed is right can only be seen beside that.
    """
    billed = {line["id"] for line in document["lines"] if line.get("billed_tax") is not None}
    told = {line["id"] for line in result["lines"] if line.get("calculated_tax") is not None}
    return sorted(billed - told)


def nexus_of(lines: Sequence[Record]) -> list[dict[str, Any]]:
    """Tell by country and region whether tax is collected there, as the details of a result's lines say."""
    found: dict[tuple[str, str], bool] = {}
    for detail in (detail for line in lines for detail in line["details"]):
        place = (detail["country"], detail.get("region", ""))
        found[place] = found.get(place, False) or detail["reason"] != "not-collecting"
    return [
        {"country": country, **({"region": region} if region else {}), "collecting": collecting}
        for (country, region), collecting in sorted(found.items())
    ]


def by_level(name: str) -> str:
    """Give the contract's word for how high a jurisdiction stands, of an engine's word in any case."""
    word = name.lower()
    return word if word in _LEVELS else _OTHER_LEVELS.get(word, "special")


_LEVELS = frozenset({"country", "state", "county", "city", "special"})
_OTHER_LEVELS: Mapping[str, str] = {"district": "special", "province": "state", "region": "state"}
