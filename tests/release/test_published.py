"""The whole way through real processes: a plan names the cents that move, a publish stops, is confirmed, taken back."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from dulwich import porcelain
from dulwich.repo import Repo

from tests.runtime.conftest import hub, vendor  # noqa: F401 - fixtures
from tests.runtime.process import FLOW, HubProcess, event

pytestmark = pytest.mark.processes

INVOICE = """
mapping: invoice
version: 1
from: helloworld.greeting@1
to: company.invoice@1
fields:
  number: join('-', ['INV', id])
  total: money_major(to_decimal(text), 'EUR', 'half_up')
"""
SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "string"}, "total": {"type": "object"}},
    "x-name": "number",
    "x-postings": [{"account": "receivable", "amount": "total"}],
}
STEPS = """
steps:
  - id: invoice
    map: invoice
"""
WHO = b"Tests <tests@example.com>"


@pytest.fixture
def company(hub: HubProcess) -> HubProcess:  # noqa: F811 - the fixture
    """Give a hub whose environment asks to publish, with a mapping that rounds, in a repository."""
    folder = hub.workspace
    write(folder, "flows/greet.yaml", FLOW.replace("\nsteps:\n", STEPS))
    write(folder, "mappings/invoice.yaml", INVOICE)
    write(folder, "schemas/company.invoice@1.json", json.dumps(SCHEMA))
    environment = folder / "environments" / "test.yaml"
    environment.write_text(environment.read_text() + "publish: { max_money_difference: { EUR: '0.01' } }\n")
    Repo.init(str(folder.parent), default_branch=b"main").close()
    commit(folder)
    hub.store_secret()
    return hub


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def commit(folder: Path) -> str:
    with Repo(str(folder.parent)) as repo:
        porcelain.add(repo, [str(path) for path in folder.rglob("*") if path.is_file()])
        return porcelain.commit(repo, message=b"change", author=WHO, committer=WHO).decode()


def asked(hub: HubProcess, *arguments: str) -> tuple[int, Any]:  # noqa: F811 - a parameter
    done = hub.run(*arguments, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def bundles_of_succeeded(hub: HubProcess) -> dict[str, str]:  # noqa: F811 - a parameter
    listed = hub.api("GET", "/api/runs?state=succeeded").json()["runs"]
    return {run["business_key"]: run["bundle"] for run in listed}


def rounded_otherwise(folder: Path) -> None:
    write(folder, "mappings/invoice.yaml", INVOICE.replace("half_up", "half_even").replace("version: 1", "version: 2"))


def test_a_changed_rounding_rule_from_plan_to_rollback(company: HubProcess) -> None:  # noqa: PLR0915 - one story
    company.start()
    for number, text in enumerate(["1.005", "2.015", "3.005", "4.00"], start=1):
        assert company.hook(event(number, text=text)).status == 202
    company.settled({"succeeded": 4})
    (first,) = asked(company, "revisions")[1]["revisions"]
    assert (first["number"], first["how"], first["dirty"]) == (1, "first", False)
    assert asked(company, "plan")[0] == 0

    rounded_otherwise(company.workspace)
    status, plan = asked(company, "plan")
    assert status == 2
    moved = {one["name"]: (one["about"], one["amount"]) for one in plan["shadow"]["moved"]}
    assert moved == {"INV-g-1": ("greeting:g-1", 0.01), "INV-g-3": ("greeting:g-3", 0.01)}
    (net,) = plan["shadow"]["net"]
    assert (net["currency"], net["account"], net["difference"], net["runs"]) == ("EUR", "receivable", -0.02, 2)
    assert plan["concerns"] == [{"worry": "money", "sentence": "0.02 EUR move in 2 runs; the limit of test is 0.01."}]
    (change,) = plan["changes"]
    assert [(one["where"], one["before"], one["after"]) for one in change["details"]][1] == (
        "field `total`",
        "money_major(to_decimal(text), 'EUR', 'half_up')",
        "money_major(to_decimal(text), 'EUR', 'half_even')",
    )
    told = company.run("plan")
    assert told.returncode == 2
    assert "INV-g-1" in told.stdout
    assert "0.02 EUR move in 2 runs" in told.stdout

    stopped = company.run("publish")
    assert stopped.returncode == 2
    assert "Not published." in stopped.stderr
    assert "--confirm --reason" in stopped.stderr
    assert "0.02 EUR move in 2 runs; the limit of test is 0.01." in stopped.stdout
    assert company.run("publish", "--confirm").returncode == 1
    assert len(asked(company, "revisions")[1]["revisions"]) == 1

    # A run that is under way keeps the revision it began with.
    assert company.api("POST", "/api/connections/hello/pause", {"reason": "test"}).status == 200
    company.hook(event(5, text="5.005"))
    company.settled({"succeeded": 4, "waiting": 1})
    status, published = asked(company, "publish", "--confirm", "--reason", "agreed with the auditors")
    assert (status, published["state"], published["number"], published["how"]) == (0, "done", 2, "publish")
    company.hook(event(6, text="6.005"))
    assert company.api("POST", "/api/connections/hello/resume", {"reason": "test"}).status == 200
    company.settled({"succeeded": 6})
    bundles = bundles_of_succeeded(company)
    assert bundles["greeting:g-5"] == first["bundle"]
    assert bundles["greeting:g-6"] == published["plan"]["after"]["bundle"]
    assert asked(company, "plan")[0] == 0

    # Back to where it was: a publish of the older one, marked so; the same limit holds for it.
    assert asked(company, "publish", "--to", "1")[0] == 2
    status, back = asked(company, "publish", "--to", "1", "--confirm", "--reason", "the auditors changed their minds")
    assert (status, back["number"], back["how"]) == (0, 3, "rollback")
    listed = asked(company, "revisions")[1]
    assert [line["how"] for line in listed["revisions"]] == ["rollback", "publish", "first"]
    assert listed["revisions"][0]["bundle"] == first["bundle"]
    assert listed["revisions"][0]["commit"] == first["commit"]
    assert listed["folder"]["differs"]
    assert company.run("publish", "--to", "published").returncode == 1
    detail = company.api("GET", "/api/revisions/2").json()
    assert detail["revision"]["reason"] == "agreed with the auditors"
    assert detail["plan"]["shadow"]["money"] == [{"currency": "EUR", "amount": 0.03, "runs": 3}]

    # A restart serves what was published last, whatever the folder holds.
    assert company.end() == 0
    write(company.workspace, "flows/greet.yaml", "flow: [broken")
    company.start()
    company.hook(event(7, text="7.005"))
    end = time.monotonic() + 15.0
    # What the vendor tells when it is asked at the start makes runs of its own.
    while "greeting:g-7" not in (found := bundles_of_succeeded(company)):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    assert found["greeting:g-7"] == first["bundle"]
    broken = company.run("publish")
    assert broken.returncode == 1
    assert "flows/greet.yaml:1" in broken.stdout
    assert company.end() == 0
    log = (company.data.parent / "hub.log").read_text()
    assert "workspace.differs" in log


def test_a_plan_between_two_commits_while_no_hub_runs(company: HubProcess) -> None:
    company.start()
    company.hook(event(1, text="1.005"))
    company.settled({"succeeded": 1})
    assert company.end() == 0
    rounded_otherwise(company.workspace)
    second = commit(company.workspace)
    status, plan = asked(company, "plan", "--from", "HEAD~1", "--to", second[:9])
    assert status == 0, "a cent is within the limit"
    assert (plan["after"]["commit"], plan["after"]["dirty"]) == (second, False)
    assert [one["amount"] for one in plan["shadow"]["money"]] == [0.01]
    assert asked(company, "plan", "--from", second, "--to", "main")[1]["changes"] == []
    unknown = company.run("plan", "--to", "mian")
    assert unknown.returncode == 1
    assert "Did you mean `main`?" in unknown.stderr
    assert company.run("plan", "--to", "9").returncode == 1
    status, published = asked(company, "publish")
    assert (status, published["number"]) == (0, 2)
    told = company.run("status")
    assert "Revision 2 serves" in told.stdout
    assert "differs" not in told.stdout


def test_without_recorded_events_a_plan_says_so(company: HubProcess) -> None:
    company.start()
    rounded_otherwise(company.workspace)
    done = company.run("plan")
    assert done.returncode == 0
    assert "No event is recorded" in done.stdout
    assert company.end() == 0
