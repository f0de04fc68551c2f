"""Clients that are told of more than once: what arrives, what must come of it, and the workspace that compares them.

Records of one client share a tax number or a name; a name is also shared by different ones. What is known under two
keys at once is asked of a person, who knows the truth.
"""

from __future__ import annotations

from functools import cache
from random import Random

from hub.errors import WorkspaceInvalid
from hub.proof.simulation.connector import CONNECTOR
from hub.proof.simulation.scenario import Happening, Scenario
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle

_FLOW = """
flow: client-to-ledger
title: Enter each client in the ledger once
owner: team:simulation
on: { event: simulated.client.signed }
key: data.id
business_key: join(':', ['shop', data.id, event.id])
steps:
  - id: same
    match: { policy: clients, of: data, system: shop, id: data.id }
  - id: known
    lookup: { crossref: client, system: shop, id: data.id, want: ledger, optional: true }
  - id: post
    when: "!known"
    call: { connection: ledger, operation: entry.create, with: client, of: data }
    retry: patient
  - id: tied
    crossref:
      entity: client
      ids: { shop: =data.id, ledger: "=coalesce(known.id, post.id)" }
      parent: { shop: =data.parent }
"""
_POLICY = """
policy: clients
kind: match
version: 1
entity: client
record: simulated.client@1
keys:
  - name: tax number
    of: [alphanumeric(tax)]
    then: same
  - name: name
    of: [company_name(name)]
"""
_SCHEMA = """{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {
  "id": {"type": "string"}, "tax": {"type": "string"}, "name": {"type": "string"}, "parent": {"type": "string"}}}"""
_MAPPING = """
mapping: client
version: 1
from: simulated.client@1
to: simulated.client@1
fields:
  id: id
  name: id
"""
_FILES = {
    "flows/client-to-ledger.yaml": _FLOW,
    "policies/clients.yaml": _POLICY,
    "policies/patient.yaml": (
        "policy: patient\nkind: retry\nattempts: 60\nfirst: 0.5\nfactor: 2\nceiling: 60\njitter: 0.5\nlongest: 600\n"
    ),
    "schemas/simulated.client@1.json": _SCHEMA,
    "mappings/client.yaml": _MAPPING,
    "connections/shop.yaml": "connection: shop\nconnector: simulated\n",
    "connections/ledger.yaml": "connection: ledger\nconnector: simulated\n",
    "connections/stocks.yaml": "connection: stocks\nconnector: simulated\n",
}
#: In how many ways the name of one company is written.
_WRITTEN = ("{}", "{} GmbH", "{} Inc.", "{}, S.A.")


@cache
def compiled() -> Bundle:
    """Compile the workspace; once for a process, however many trials it runs."""
    bundle, lints = compile_bundle({path: text.encode() for path, text in _FILES.items()}, catalogue_of([CONNECTOR]))
    if bundle is None:
        raise WorkspaceInvalid("\n".join(map(str, lints)))
    return bundle


def company_of(client: str) -> str:
    """Give which company a client's record is about in truth: its name says so, and no key does."""
    return client.partition("-")[0]


def draw(dice: Random) -> Scenario:
    """Draw records of a few companies, some of which are told of twice."""
    companies = [f"c{number}" for number in range(dice.choice((1, 2, 2, 3)))]
    seconds = dice.choice((1.0, 10.0, 60.0))
    records: list[dict[str, str]] = []
    for number in range(dice.choice((2, 3, 4, 5))):
        company = dice.choice(companies)
        record = {"id": f"{company}-{number}"}
        if dice.random() < 0.6:
            record["tax"] = f"DE {company}"
        if "tax" not in record or dice.random() < 0.6:
            # Different companies have one name, too.
            named = company if dice.random() < 0.75 else companies[0]
            record["name"] = dice.choice(_WRITTEN).format(f"Firm {named}")
        above = [each["id"] for each in records if company_of(each["id"]) < company]
        if above and dice.random() < 0.3:
            record["parent"] = dice.choice(above)
        records.append(record)
    told = [*records, *(record for record in records if dice.random() < 0.3)]
    happenings, at = [], 0.0
    for number, record in enumerate(told):
        happenings.append(
            Happening(
                number=number,
                id=f"evt{number}",
                type="client.signed",
                at=round(at, 3),
                data=record,
                family=record["id"],
            )
        )
        # Most come at once: that is when two could pass.
        at += dice.choice((0.0, 0.0, 0.0, 0.05, seconds / len(told)))
    return Scenario(
        happenings=tuple(happenings),
        customers={},
        strangers=frozenset(),
        forgotten=frozenset(),
        fates={},
        unwelcome=frozenset(),
        seconds=seconds,
    )
