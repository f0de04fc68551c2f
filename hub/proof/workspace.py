"""The demo's workspace: a copy of the shipped one with an environment file and shorter waits."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from hub.proof import customers, wishes
from hub.proof.crm import COMPANY_CODES, CRM, SAP, TOLD
from hub.proof.sandboxes import Sandbox
from hub.workspace.loader import FOLDERS, find_workspace, shipped

ENVIRONMENT = "demo"

_FILE = """\
# Written by `concord demo`: sandboxes on this machine. Their answers come at once or never.
environment: {environment}
title: Demo
colour: green
private_hosts: ["127.0.0.1"]

connections:
  stripe:
    base_url: {stripe}
    timeout: 2
    settle: 1
    event_types: [{events}]
    secret: vault:stripe

  netsuite:
    account: {account}
    base_url: {netsuite}
    restlet_base_url: {restlets}
    client_id: {client_id}
    certificate_id: {certificate_id}
    algorithm: {algorithm}
    timeout: 1
    settle: 1
    secret: vault:netsuite

  tax:
    base_url: {tax}
    company_code: {company}
    throttle: none
    timeout: 1
    settle: 1
    secret: vault:tax
"""

#: What comes to it where there is a CRM, and a second ERP.
_FURTHER = """
  salesforce:
    base_url: {salesforce}
    consumer_key: {consumer_key}
    username: {username}
    organization_id: {organization}
    timeout: 2
    settle: 1
    secret: vault:salesforce

  s4hana:
    base_url: {s4hana}
    user: {user}
    timeout: 2
    settle: 1
    secret: vault:s4hana
"""

#: A demo lasts a minute: its patience is shorter than that of a working day, and it asks more often.
_RETRY = """\
# Written by `concord demo`.
policy: {name}
kind: retry
attempts: 60
first: 0.3
factor: 2
ceiling: 1.5
jitter: 0.5
"""
_RETRIES = ("erp", "stripe", "tax")
#: How long an invoice waits for its customer: as shipped, and in a demo, whose strangers nobody ever ties.
_WAITS = ("wait: PT10M, case: customer-not-mapped", "wait: PT2S, case: customer-not-mapped")


def write(
    folder: Path,
    sandboxes: Mapping[str, Sandbox],
    environ: Mapping[str, str],
    *,
    rows: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Copy the workspace that ships or that `CONCORD_WORKSPACE` names; add its own environment and retry policies.

    `rows` is what its tables have beside what ships: table → key → value.
    """
    source = find_workspace(None, environ, next(shipped()))
    for name in FOLDERS:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, dirs_exist_ok=True)
    netsuite = sandboxes["netsuite"].hello
    text = _FILE.format(
        environment=ENVIRONMENT,
        stripe=sandboxes["stripe"].url,
        events=", ".join((*wishes.EVENTS, *customers.EVENTS, *((customers.MADE, *TOLD) if CRM in sandboxes else ()))),
        netsuite=sandboxes["netsuite"].url,
        restlets=netsuite["restlet_base_url"],
        account=netsuite["account"],
        client_id=netsuite["client_id"],
        certificate_id=netsuite["certificate_id"],
        algorithm=netsuite["algorithm"],
        tax=sandboxes["tax"].url,
        company=sandboxes["tax"].hello["company_code"],
    )
    retries: Sequence[str] = _RETRIES
    if CRM in sandboxes:
        org, tenant = sandboxes[CRM], sandboxes["s4hana"]
        text += _FURTHER.format(
            salesforce=org.url,
            consumer_key=org.hello["consumer_key"],
            username=org.hello["username"],
            organization=org.hello["organization_id"],
            s4hana=tenant.url,
            user=tenant.hello["user"],
        )
        retries = (*_RETRIES, "crm")
        books = folder / "mappings" / "tables" / "entity_books.csv"
        books.write_text(_moved(books.read_text(encoding="utf-8")), encoding="utf-8")
    for name, added in (rows or {}).items():
        table = folder / "mappings" / "tables" / f"{name}.csv"
        lines = [table.read_text(encoding="utf-8").rstrip("\n"), *(f"{key},{value}" for key, value in added.items())]
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "environments").mkdir(parents=True, exist_ok=True)
    (folder / "environments" / f"{ENVIRONMENT}.yaml").write_text(text)
    invoices = folder / "flows" / "invoice-to-erp.yaml"
    if invoices.is_file():
        invoices.write_text(invoices.read_text(encoding="utf-8").replace(*_WAITS), encoding="utf-8")
    for name in retries:
        (folder / "policies" / f"{name}.yaml").write_text(_RETRY.format(name=name))
        # They are examples of the other waits.
        (folder / "policies" / f"{name}_examples.yaml").unlink(missing_ok=True)


def _moved(table: str) -> str:
    """Give the table of which ERP has an entity's books, with those of the scenario in S/4HANA."""
    rows = (line.split(",") for line in table.splitlines())
    return "".join(f"{name},{SAP if name in COMPANY_CODES else books}\n" for name, books in rows)
