"""The workspace of a proof with two orgs: accounts of the one are carried over into the other, by the thousand.

Accounts come in batches through the shipped mapping `salesforce/account_to_hub`, and go out by one bulk job for each
batch. A row that cannot be mapped, or that the other org refuses, goes on by itself: it is a run of its own, which
stops with its own reason and is replayed alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.proof import workspace
from hub.sdk import exact_json
from hub.workspace.loader import find_workspace, shipped

#: The connections: whose accounts they are, and where they go.
SOURCE, TARGET = "salesforce", "west"
#: The flows: of a batch, and of one account that has to go by itself.
BATCHES, ALONE = "accounts-to-org", "account-to-org"
#: What of an account is read.
READ = (
    "Name",
    "AccountNumber",
    "Type",
    "CreatedDate",
    "BillingStreet",
    "BillingCity",
    "BillingState",
    "BillingPostalCode",
    "BillingCountry",
    "ShippingStreet",
    "ShippingCity",
    "ShippingState",
    "ShippingPostalCode",
    "ShippingCountry",
    "Phone",
    "ParentId",
    "Payment_Terms__c",
    "Invoice_Email__c",
)

_BATCHES = f"""\
flow: {BATCHES}
title: Carry the accounts of one org over into another, by the thousand
owner: team:sales-operations
on: {{ event: salesforce.account.listed.batch }}
key: event.id
business_key: join(':', ['salesforce', event.id])
steps:
  - id: rows
    foreach:
      each: data.records
      as: account
      by: account.Id
      failures: continue
      collect: "{{ id: account.Id, row: wanted }}"
      steps:
        - id: customer
          map: salesforce/account_to_hub
          of: account
          given: {{ customer: account.Id }}
          on_failure: continue

        - id: wanted
          when: customer
          map: salesforce/account_from_hub
          of: customer
          on_failure: continue

  - id: unmapped
    foreach:
      each: "rows.collected[?!row].id"
      as: id
      by: id
      failures: park
      steps:
        - id: alone
          emit: {{ type: concord.account.alone, subject: id, of: "{{ id: id }}" }}

  - id: job
    when: "rows.collected[?row]"
    call:
      connection: {TARGET}
      operation: bulk.submit
      with: salesforce/account_job
      of: "{{ rows: rows.collected[?row].row }}"
    retry: crm

  - id: outcome
    when: job
    call: {{ connection: {TARGET}, operation: bulk.read, by: =job.id }}
    retry: crm-jobs

  - id: refused
    when: job
    foreach:
      each: "[outcome.failed[].value, outcome.unprocessed][]"
      as: id
      by: id
      failures: park
      steps:
        - id: alone
          emit: {{ type: concord.account.alone, subject: id, of: "{{ id: id }}" }}
"""
#: The first step alone: accounts are read, mapped, and kept.
_IN = _BATCHES.partition("        - id: wanted\n")[0].replace("row: wanted", "row: customer")
_ALONE = f"""\
flow: {ALONE}
title: Carry one account of an org over into another
owner: team:sales-operations
on: {{ event: concord.account.alone }}
key: record.id
business_key: join(':', ['salesforce', record.id, event.id])
steps:
  - id: account
    call: {{ connection: {SOURCE}, operation: account.read, by: =record.id }}
    retry: crm

  - id: customer
    map: salesforce/account_to_hub
    of: account
    given: {{ customer: account.Id }}
    missing: {{ case: country-not-known }}

  - id: written
    call: {{ connection: {TARGET}, operation: account.upsert, with: salesforce/account_from_hub, of: customer }}
    retry: crm
"""
_FROM_HUB = r"""
mapping: salesforce/account_from_hub
version: 1
from: canonical.customer@1
to: salesforce.account_write@1
fields:
  external_id: { value: id, required: true }
  fields:
    fields:
      Name: { value: name, required: true }
      AccountNumber: number
      Phone: bill_to.phone
      Invoice_Email__c: bill_to.email
      Payment_Terms__c: terms && replace(terms, 'NET', 'Net ')
      BillingStreet: bill_to.address.line1 && join(`"\n"`, [bill_to.address.line1, bill_to.address.line2][?@])
      BillingCity: bill_to.address.city
      BillingState: bill_to.address.region
      BillingPostalCode: bill_to.address.postal_code
      BillingCountry: bill_to.address.country
"""
_JOB = """\
mapping: salesforce/account_job
version: 1
from: salesforce.account_rows@1
to: salesforce.account_job@1
fields:
  object: "'Account'"
records: { each: rows, fields: { value: external_id, fields: fields }, required: true }
"""
_JOBS = """\
policy: crm-jobs
kind: retry
owner: team:sales-operations
attempts: 1000
first: 0.5
factor: 1.5
ceiling: 5
jitter: 0.2
longest: 3600
"""
_CONNECTION = """\
connection: {name}
connector: salesforce
title: Salesforce
owner: team:revenue-operations
secret: vault:{name}
limits: {{ concurrency: 10 }}
settings:
  select: {{ Account: [{read}] }}
"""
_ENVIRONMENT = """\
environment: {environment}
title: Two orgs
colour: green
private_hosts: ["127.0.0.1"]
connections:
"""
_OF_ORG = """\
  {name}:
    base_url: {url}
    consumer_key: {consumer_key}
    username: {username}
    audience: {audience}
    organization_id: {organization_id}
    currency: {currency}
    api_version: "{api_version}"
    timeout: 60
    settle: 1
    secret: vault:{name}
"""


#: What they need of the workspace that ships.
_SHIPPED = (
    "mappings/salesforce/account_to_hub.yaml",
    "mappings/tables/*.csv",
    "policies/crm.yaml",
    "schemas/canonical.customer*",
)


def files(orgs: Mapping[str, Mapping[str, Any]], *, out: bool = True) -> dict[str, str]:
    """Give what is added to the shipped workspace, by path; `orgs` are what the two sandboxes said at their start.

    Without `out` accounts are read and mapped, and nothing is written.
    """
    return {
        f"flows/{BATCHES}.yaml": _BATCHES if out else _IN,
        **({f"flows/{ALONE}.yaml": _ALONE} if out else {}),
        "mappings/salesforce/account_from_hub.yaml": _FROM_HUB,
        "mappings/salesforce/account_job.yaml": _JOB,
        "policies/crm-jobs.yaml": _JOBS,
        "schemas/salesforce.account_write@1.json": _schema("Account to write", WRITE),
        "schemas/salesforce.account_rows@1.json": _schema("Accounts to write", _list("rows", WRITE)),
        "schemas/salesforce.account_job@1.json": _schema("Job that writes accounts", JOB),
        **{f"connections/{name}.yaml": _CONNECTION.format(name=name, read=", ".join(READ)) for name in orgs},
        f"environments/{workspace.ENVIRONMENT}.yaml": _ENVIRONMENT.format(environment=workspace.ENVIRONMENT)
        + "".join(_OF_ORG.format_map({**hello, "name": name, "currency": "USD"}) for name, hello in orgs.items()),
    }


def write(folder: Path, orgs: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str], *, out: bool = True) -> None:
    """Copy what these flows need of the workspace that ships, or that `CONCORD_WORKSPACE` names, and add them."""
    source = find_workspace(None, environ, next(shipped()))
    for pattern in _SHIPPED:
        for path in source.glob(pattern):
            copy = folder / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    for name, text in files(orgs, out=out).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def secrets_of(orgs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Give the secrets of both connections, as the sandboxes have told them."""
    return {name: {"private_key": str(hello["private_key"])} for name, hello in orgs.items()}


def _schema(title: str, shape: Mapping[str, Any]) -> str:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return exact_json.dumps({**head, **shape}).decode()


def _list(name: str, items: Mapping[str, Any]) -> dict[str, Any]:
    return _object({name: {"type": "array", "items": items}})


def _object(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_WRITTEN = (
    "Name",
    "AccountNumber",
    "Phone",
    "Invoice_Email__c",
    "Payment_Terms__c",
    "BillingStreet",
    "BillingCity",
    "BillingState",
    "BillingPostalCode",
    "BillingCountry",
)
_TEXT: Mapping[str, Any] = {"type": "string", "minLength": 1}
_FIELDS = _object(dict.fromkeys(_WRITTEN, _TEXT), *_WRITTEN[1:])
WRITE = _object({"external_id": _TEXT, "fields": _FIELDS})
JOB = _object(
    {
        "object": {"type": "string"},
        "records": {"type": "array", "minItems": 1, "items": _object({"value": _TEXT, "fields": _FIELDS})},
    }
)
