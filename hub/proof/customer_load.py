"""`concord prove --customers N`: so many customers of Stripe are carried over to NetSuite, whoever is killed meanwhile.

Sandboxes and hub are processes of their own. The sandboxes keep the vendors' limits and count whom they refuse, the
system keeps the hub's memory, and the books of both say in the end whether every customer is there once, as it is.
"""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from hub.proof import customer_checks, loads, records, sandboxes, stage, workspace
from hub.proof.hub_process import HubProcess
from hub.proof.loads import Course
from hub.proof.markets import MARKETS
from hub.proof.outside import Proved
from hub.proof.processes import Processes
from hub.proof.sandboxes import Sandbox

#: What Stripe allows an account of its test mode in a second, in all and at one endpoint.
STRIPE_RATE = 25
#: So many seconds NetSuite takes for each request, so that requests meet there.
ERP_SECONDS = 0.005
#: So much memory the hub may have in all, in MB, and so much more at the end than after a tenth of the way.
MOST_MEMORY, MOST_GROWTH = 400, 120
#: Customers that are seeded by one request.
_CHUNK = 1000
_WORDS = ("Alder", "Birch", "Cedar", "Dogwood", "Elder", "Fir", "Ginkgo", "Hazel", "Juniper", "Larch")


def prove(console: Console, *, customers: int, kills: int, seed: int) -> Proved:
    """Seed, carry over, kill so often in between, and compare the books."""
    with (
        tempfile.TemporaryDirectory(prefix="concord-proof-", ignore_cleanup_errors=True) as name,
        Processes(Path(name) / "logs", stage.environ(Path(name))) as processes,
        loads.bar(console) as progress,
    ):
        running = sandboxes.start(processes, seed)
        _seed(running, customers, seed, progress)
        hub = HubProcess(processes, Path(name), port=0)
        workspace.write(hub.workspace, running, os.environ)
        _keep_stripes_limits(hub.workspace)
        hub.start(poll=loads.POLL)
        hub.store_secrets(stage.secrets_of(running, "whsec_none"))
        course = loads.carry_over(hub, "stripe/customers", customers, kills, random.Random(f"{seed}:kills"), progress)
        refused = {vendor: running[vendor].progress() for vendor in ("stripe", "netsuite")}
        findings = [*_of_the_way(course, refused, kills), *_of_the_books(running, hub.data)]
        size = loads.database_mb(hub.data)
    return Proved(
        title=f"{customers:,} customers from Stripe to NetSuite, kill -9 {kills} times",
        figures={
            "customers": customers,
            "kills": course.kills,
            "seconds": round(course.seconds, 1),
            "per_second": course.per_second(customers),
            "refused_by_limits": {vendor: told["refused_by_limits"] for vendor, told in refused.items()},
            "at_once_at_netsuite": refused["netsuite"]["highest_at_once"],
            "hub_memory_mb": course.memory_mb(),
            "hub_memory_peak_mb": course.peak,
            "database_mb": size,
            "stopped": course.last.get("stopped", 0),
        },
        findings=findings,
    )


def drawn(number: int, dice: random.Random) -> dict[str, Any]:
    """Give one customer in Stripe's words; of every fifty a few lack something, or are taxed otherwise."""
    market = MARKETS[number % len(MARKETS)]
    name = f"{dice.choice(_WORDS)} {dice.choice(_WORDS)} {number}"
    customer: dict[str, Any] = {
        "name": name,
        "email": f"billing{number}@customer.example",
        "phone": f"+{dice.randrange(1, 99)} {dice.randrange(100, 999)} {dice.randrange(10_000, 99_999)}",
        "address": {
            "line1": f"{dice.randrange(1, 400)} {dice.choice(_WORDS)} Street",
            "city": market.city,
            "postal_code": market.postal_code,
            "country": market.country,
            **({"state": market.state} if market.state else {}),
        },
    }
    match number % 50:
        case 7:
            # The address is not known; who sells to it is.
            del customer["address"]
            customer["metadata"] = {"entity": "DE01"}
        case 17:
            del customer["name"]
        case 27:
            customer["tax_exempt"] = "exempt"
        case 3 | 13:
            customer["tax_id_data"] = [{"type": "eu_vat", "value": f"DE {number:09}"}]
        case 37:
            # Nobody's debtor yet.
            del customer["address"]
        case _:
            pass
    return customer


def _seed(running: Mapping[str, Sandbox], customers: int, seed: int, progress: Progress) -> None:
    dice = random.Random(f"{seed}:customers")
    task = progress.add_task("seeding", total=customers)
    stripe = running["stripe"]
    for first in range(0, customers, _CHUNK):
        numbers = range(first, min(first + _CHUNK, customers))
        stripe.seed({"customers": [drawn(number, dice) for number in numbers]})
        progress.update(task, completed=numbers.stop)
    stripe.seed({"switches": {"rate": STRIPE_RATE, "endpoint_rate": STRIPE_RATE}})
    running["netsuite"].seed({"settings": {"latency": ERP_SECONDS}})


def _keep_stripes_limits(folder: Path) -> None:
    """Tell the hub what an account of Stripe's test mode allows, as its owner would, and to be patient.

    The demo's sandboxes answer at once or never. Here they are busy, and who gives a request up that is still served
    would count it wrong.
    """
    environment = folder / "environments" / f"{workspace.ENVIRONMENT}.yaml"
    environment.write_text(re.sub(r"\btimeout: \d+", "timeout: 30", environment.read_text()))
    file = folder / "connections" / "stripe.yaml"
    text = file.read_text()
    file.write_text(text.replace("limits: { concurrency: 20 }", f"limits: {{ concurrency: 20, rate: {STRIPE_RATE} }}"))


def _of_the_way(course: Course, refused: Mapping[str, Mapping[str, Any]], kills: int) -> Iterator[str]:
    yield from loads.of_the_way(course, kills, most_memory=MOST_MEMORY, most_growth=MOST_GROWTH)
    for vendor, told in refused.items():
        if told["refused_by_limits"]:
            yield f"{vendor} refused {told['refused_by_limits']} requests because they were beyond its limits"


def _of_the_books(running: Mapping[str, Sandbox], data: Path) -> Iterator[str]:
    """Compare what both vendors have, and what the hub has tied together."""
    stripe = running["stripe"].books()
    numbers = {one["customer"]: str(one["value"]).replace(" ", "") for one in stripe["tax_ids"]}
    customers = stripe["customers"]
    erp = running["netsuite"].books()["customers"]
    by_billing: dict[str, list[Mapping[str, Any]]] = {}
    for record in erp:
        by_billing.setdefault(record["externalId"], []).append(record)
    with records.reading(data) as connection:
        ties = records.customer_ties(connection)
    wanted = [one for one in customers if _is_debtor(one)]
    missing = Counter(len(by_billing.get(one["id"], ())) for one in wanted)
    for number, how_many in sorted(missing.items()):
        if number != 1:
            yield f"{how_many} customers are in NetSuite {number} times"
    if len(erp) != len(wanted):
        yield f"NetSuite has {len(erp)} customers, must have {len(wanted)}"
    written = sum(record["writes"] != 1 for record in erp)
    if written:
        yield f"{written} customers were written more than once"
    for customer in wanted:
        found = by_billing.get(customer["id"], ())
        if len(found) == 1:
            yield from customer_checks.differences(
                {**customer, "name": customer["name"] or customer["email"]}, found[0]
            )
            if found[0].get("vatRegNumber") != numbers.get(customer["id"]):
                yield f"{customer['id']} has the tax id {numbers.get(customer['id'])}, which the ERP has otherwise"
            if ties.get(customer["id"]) != found[0]["id"]:
                yield f"{customer['id']} is tied to {ties.get(customer['id'])}, must be {found[0]['id']}"


def _is_debtor(customer: Mapping[str, Any]) -> bool:
    return bool((customer["address"] or {}).get("country") or customer["metadata"].get("entity"))
