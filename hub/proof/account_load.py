"""`concord prove --accounts N`: so many accounts of one Salesforce org are carried over into another by bulk jobs.

They come out by a bulk query and go in by one job for each batch, through mappings, whoever is killed meanwhile. Some
cannot be mapped, and some the other org refuses: each of these stops alone, with its own reason, and goes through once
that is mended. In the end the books of both orgs say whether every account is there once, written once, and equal.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from hub.proof import account_flows, loads, records, stage
from hub.proof.account_flows import ALONE, SOURCE, TARGET
from hub.proof.hub_process import HubProcess
from hub.proof.outside import Proved
from hub.proof.processes import SANDBOX, Processes
from hub.proof.sandboxes import Sandbox

#: So much memory the hub may have in all, in MB, and so much more at the end than after a tenth of the way.
MOST_MEMORY, MOST_GROWTH = 500, 120
#: Records of one batch, and so of one job; of fewer accounts there are some batches all the same, of a page at least.
BATCH, BATCHES, PAGE = 5000, 8, 250
#: What people mend afterwards: the country that no table knows, and the rule of the other org.
_NOWHERE, _MENDED = "Atlantis", "Germany"
_RULE = {"object": "Account", "when": "AccountNumber LIKE 'X-%'", "message": "Numbers do not begin with X"}
#: Why those stop that go by themselves, by what is wrong with them.
_REASONS = {"unmapped": "country-not-known", "refused": "field-custom-validation-exception"}
#: Seconds within which what goes by itself has come to rest.
_PATIENCE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """The ids of those accounts of which something is wrong."""

    unmapped: frozenset[str]
    refused: frozenset[str]


def prove(console: Console, *, accounts: int, kills: int, seed: int) -> Proved:
    """Seed, carry over, kill so often in between, mend what stopped, and compare the books."""
    with (
        tempfile.TemporaryDirectory(prefix="concord-proof-", ignore_cleanup_errors=True) as name,
        Processes(Path(name) / "logs", stage.environ(Path(name))) as processes,
        loads.bar(console) as progress,
    ):
        orgs = start(processes, seed)
        hub = HubProcess(processes, Path(name), port=0)
        begin(hub, orgs)
        odd = seed_accounts(orgs, accounts)
        batch = batch_of(accounts)
        dice = random.Random(f"{seed}:kills")
        course = loads.carry_over(hub, f"{SOURCE}/all_accounts", accounts, kills, dice, progress, batch=batch)
        findings = [*loads.of_the_way(course, kills, most_memory=MOST_MEMORY, most_growth=MOST_GROWTH)]
        if course.settled:
            findings += [*_of_those_that_stopped(hub, odd)]
            _mend(orgs, odd)
            findings += [*_replayed(hub, odd, progress)]
        source, target = (orgs[name].books() for name in (SOURCE, TARGET))
        findings += [*of_the_books(source, target, accounts)]
        size = loads.database_mb(hub.data)
    return Proved(
        title=f"{accounts:,} accounts from one Salesforce org into another by bulk jobs, kill -9 {kills} times",
        figures={
            "accounts": accounts,
            "kills": course.kills,
            "seconds": round(course.seconds, 1),
            "per_second": course.per_second(accounts),
            "batch": batch,
            "jobs": dict(Counter(job["state"] for job in target["jobs"])),
            "stopped_alone": len(odd.unmapped) + len(odd.refused),
            "hub_memory_mb": course.memory_mb(),
            "hub_memory_peak_mb": course.peak,
            "database_mb": size,
        },
        findings=findings,
    )


def batch_of(accounts: int) -> int:
    """Give how many accounts come in one batch: so few that there are several."""
    return max(min(BATCH, accounts // BATCHES), PAGE)


def start(processes: Processes, seed: int) -> dict[str, Sandbox]:
    """Start both orgs."""
    launched = {
        name: processes.launch(f"sandbox-{name}", (*SANDBOX, "salesforce", "--seed", str(seed + number)))
        for number, name in enumerate((SOURCE, TARGET))
    }
    return {name: Sandbox(name, processes.wait(f"sandbox-{name}", child)) for name, child in launched.items()}


def begin(hub: HubProcess, orgs: Mapping[str, Sandbox], *, out: bool = True) -> None:
    """Start the hub between both orgs; without `out` its flow reads and maps, and writes nothing.

    Accounts that are seeded afterwards are long there as far as the stream of changes goes: it has been read by then.
    """
    said = {name: org.hello for name, org in orgs.items()}
    account_flows.write(hub.workspace, said, os.environ, out=out)
    hub.start(poll=loads.POLL)
    hub.store_secrets(account_flows.secrets_of(said))
    _wait(lambda: all(hub.read_up_to(name, "accounts") for name in orgs))


def seed_accounts(orgs: Mapping[str, Sandbox], accounts: int) -> Odd:
    """Fill the one org; of every thousand accounts some have what is hard to write, and some cannot go at once."""
    of_each = max(accounts // 1000, 1)
    bodies = [body for number in range(of_each) for body in drawn(number)]
    made = list(orgs[SOURCE].seed({"records": bodies})["records"])
    unmapped = [id for id, body in zip(made, bodies, strict=True) if body.get("BillingCountry") == _NOWHERE]
    refused = [id for id, body in zip(made, bodies, strict=True) if body.get("AccountNumber", "").startswith("X-")]
    orgs[SOURCE].seed({"generate": {"accounts": accounts - len(bodies)}})
    orgs[TARGET].seed({"validation_rules": [_RULE]})
    return Odd(unmapped=frozenset(unmapped), refused=frozenset(refused))


def drawn(number: int) -> list[dict[str, Any]]:
    """Give the special ones of a thousand: two that cannot go at once, and others with what is hard to write."""
    base = {"type": "Account", "Type": "Customer - Direct"}
    there = {"BillingCity": "Wien", "BillingCountry": "AT"}
    return [
        {**base, "Name": f"Plato {number}", "BillingCity": "Poseidonis", "BillingCountry": _NOWHERE},
        {**base, **there, "Name": f"Xenon {number}", "AccountNumber": f"X-{number}"},
        {**base, **there, "Name": f'"Ωmega", Zoë & Søn; {number}', "BillingStreet": f'Haus "Ö", {number}\r\nHof 2'},
        {**base, **there, "Name": f"#N/B {number}", "Phone": "+43 1 000", "Invoice_Email__c": f"a{number}@b.example"},
        {**base, "Name": f"Nobody's debtor {number}", "BillingCity": "Nowhere"},
    ]


def _of_those_that_stopped(hub: HubProcess, odd: Odd) -> Iterator[str]:
    """Wait for those that go by themselves, and give what is not as it must be: each stops with its own reason."""
    wanted = {id: _REASONS[name] for name in _REASONS for id in getattr(odd, name)}
    _wait(lambda: len(_alone(hub, "parked")) == len(wanted) and not _alone(hub, "queued", "running", "waiting"))
    found: dict[str, list[str]] = defaultdict(list)
    for key, reason in _alone(hub, "parked"):
        found[key].append(reason)
    for id, reason in wanted.items():
        if found.get(id) != [reason]:
            yield f"the account {id} stopped as {found.get(id)}, must be {reason}"
    if surplus := found.keys() - wanted.keys():
        yield f"{len(surplus)} accounts stopped of which nothing is wrong, such as {min(surplus)}"


def _mend(orgs: Mapping[str, Sandbox], odd: Odd) -> None:
    changes = [{"type": "Account", "id": id, "BillingCountry": _MENDED} for id in sorted(odd.unmapped)]
    orgs[SOURCE].seed({"changes": changes})
    orgs[TARGET].seed({"validation_rules": []})


def _replayed(hub: HubProcess, odd: Odd, progress: Progress) -> Iterator[str]:
    """Order those that stopped to be replayed, each as its own case, and wait for their ends."""
    cases = [one for one in hub.api.get("/api/cases", limit=1000)["cases"] if one["flow"] == ALONE]
    task = progress.add_task("replayed", total=len(odd.unmapped) + len(odd.refused))
    for one in cases:
        hub.api.post(f"/api/cases/{one['id']}/replay", {"reason": "It was mended.", "from_start": True})
        progress.advance(task)
    _wait(lambda: not _alone(hub, "parked", "queued", "running", "waiting"))
    if left := _alone(hub, "parked", "queued", "running", "waiting"):
        yield f"{len(left)} accounts did not go through although they were mended, such as {left[0]}"


def _alone(hub: HubProcess, *states: str) -> list[tuple[str, str]]:
    """Give the key and the reason of the runs of single accounts in some states, but of those that were replayed."""
    marks = ", ".join("?" for _ in states)
    statement = f"SELECT key, reason FROM runs WHERE flow = ? AND replaced_by IS NULL AND state IN ({marks})"  # noqa: S608 - marks only
    with records.reading(hub.data) as connection:
        return [(row[0], row[1]) for row in connection.execute(statement, (ALONE, *states))]


def _wait(done: Any) -> None:
    until = time.monotonic() + _PATIENCE
    while not done() and time.monotonic() < until:
        time.sleep(0.2)


def of_the_books(source: Mapping[str, Any], target: Mapping[str, Any], accounts: int) -> Iterator[str]:
    """Compare what both orgs have: each account once, written once, and equal to the field."""
    ours, theirs = source["records"]["Account"], target["records"]["Account"]
    if (len(ours), len(theirs)) != (accounts, accounts):
        yield f"the orgs have {len(ours)} and {len(theirs)} accounts, must have {accounts}"
    there: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in theirs:
        there[one.get("Billing_Id__c", "")].append(one)
    for number, how_many in sorted(Counter(len(there.get(one["Id"], ())) for one in ours).items()):
        if number != 1:
            yield f"{how_many} accounts are in the other org {number} times"
    writes = Counter(one["id"] for one in target["accepted"] if one["type"] == "Account")
    if often := sum(writes[one["Id"]] != 1 for one in theirs):
        yield f"{often} accounts were not written exactly once"
    for one in ours:
        for other in there.get(one["Id"], ())[:1]:
            for name, wanted in as_carried(one).items():
                if other.get(name) != wanted:
                    yield f"the {name} of {one['Id']} is {other.get(name)!r} in the other org, must be {wanted!r}"


def as_carried(account: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the other org must have of an account; None where it must have nothing.

    An address belongs to a country: without one it is no address for bills, and is not carried over.
    """
    country = {"Germany": "DE"}.get(account.get("BillingCountry", ""), account.get("BillingCountry"))
    street = account.get("BillingStreet", "").replace("\r", "")
    address = {"BillingStreet": street or None, "BillingCity": account.get("BillingCity")}
    names = ("Name", "AccountNumber", "Phone", "Invoice_Email__c", "Payment_Terms__c")
    return {
        **{name: account.get(name) for name in names},
        **{name: value if country else None for name, value in address.items()},
        "BillingCountry": country,
    }
