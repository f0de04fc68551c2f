"""People agree to what a running hub would write: by command and API, as themselves and as nobody else."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.runtime.process import FLOW, HubProcess, event
from tests.runtime.test_ending import copies

pytestmark = pytest.mark.processes

APPROVED = FLOW.replace(
    "steps:\n", "money: \"{minor: `100`, currency: 'EUR'}\"\nsteps:\n  - id: ok\n    approve: all\n    of: data\n"
)
POLICY = """
policy: all
kind: approve
version: 1
match: first
rules:
  - name: everything
    then: { approvals: 1, role: approver, within: P1D, valid: PT1H }
"""
PASSWORD = "seven quiet harbours"


@pytest.fixture
def approved(hub: HubProcess) -> HubProcess:
    """Give a hub whose writes are approved, with an approver, a controller and an operator."""
    (hub.workspace / "policies").mkdir()
    (hub.workspace / "policies/all.yaml").write_text(POLICY)
    (hub.workspace / "flows/greet.yaml").write_text(APPROVED)
    hub.store_secret()
    for name, role in (("ann", "approver"), ("con", "controller"), ("olu", "operator")):
        added = hub.run("people", "add", f"{name}@example.com", "--name", name, "--role", role, "--password-stdin",
                        input=PASSWORD + "\n")  # fmt: skip
        assert added.returncode == 0, added.stderr
    return hub


def vote(hub: HubProcess, word: str, approval: str, who: str, *more: str, password: str = PASSWORD) -> Any:
    """Vote by command."""
    return hub.run(
        "approvals", word, approval, "--as", f"{who}@example.com", "--password-stdin", *more, input=password + "\n"
    )


def one(hub: HubProcess) -> Any:
    """Wait for the one approval that is pending."""
    (found,) = json.loads(hub.run("approvals", "list", "--json").stdout)["approvals"]
    return found


def test_a_person_agrees_by_command_and_the_run_goes_on(approved: HubProcess) -> None:
    hub = approved
    hub.start()
    hub.hook(event(1))
    hub.settled({"waiting": 1})
    asked = one(hub)
    assert (asked["policy"], asked["rule"], asked["needed"], asked["roles"]) == ("all", "everything", 1, ["approver"])
    assert asked["record"]["id"] == "g-1"
    shown = hub.run("approvals", "list").stdout + hub.run("approvals", "show", asked["id"]).stdout
    assert "all v1: everything" in shown and "1.00 EUR" in shown and "0 of 1" in shown
    for who, password, word in (
        ("con", PASSWORD, "Your role may not agree"),
        ("olu", PASSWORD, "Your role does not allow this"),
        ("ann", "wrong", "The address or the password is wrong"),
        ("eve", PASSWORD, "The address or the password is wrong"),
    ):
        refused = vote(hub, "approve", asked["id"], who, password=password)
        assert (refused.returncode, word in refused.stderr.replace("\n", " ")) == (1, True), refused.stderr
    assert one(hub)["votes"] == []
    done = vote(hub, "approve", asked["id"], "ann", "--reason", "as ordered", "--json")
    assert json.loads(done.stdout) == {"approval": asked["id"], "state": "approved"}
    hub.reached("succeeded", 1)
    (given,) = json.loads(hub.run("approvals", "list", "--state", "approved", "--json").stdout)["approvals"]
    assert [(each["name"], each["verdict"], each["reason"]) for each in given["votes"]] == [
        ("ann", "agreed", "as ordered")
    ]
    assert given["valid_until"] is not None
    late = vote(hub, "refuse", asked["id"], "ann", "--reason", "no")
    assert (late.returncode, "settled already" in late.stderr) == (1, True)
    assert hub.end() == 0


def test_a_refusal_stops_the_run_also_while_no_hub_runs(approved: HubProcess) -> None:
    """What is said while the hub is down counts when it comes up again."""
    hub = approved
    hub.start()
    hub.hook(event(2))
    hub.settled({"waiting": 1})
    asked = one(hub)
    assert hub.end() == 0
    done = vote(hub, "refuse", asked["id"], "ann", "--reason", "not ours")
    assert (done.returncode, "is refused" in done.stdout) == (0, True), done.stderr
    hub.start()
    hub.settled({"parked": 1})
    (case,) = hub.api("GET", "/api/cases").json()["cases"]
    assert case["reason"] == "approval-refused"
    assert hub.end() == 0


def test_what_is_agreed_to_is_written_once_although_the_hub_is_killed_right_then(
    approved: HubProcess, vendor: Any
) -> None:
    """The word outlives the process (kill -9) between it and the write, and nobody is asked for it again."""
    hub = approved
    hub.start()
    hub.hook(event(4))
    hub.settled({"waiting": 1})
    asked = one(hub)
    done = vote(hub, "approve", asked["id"], "ann")
    hub.end(signal.SIGKILL)
    assert done.returncode == 0, done.stderr
    hub.start()
    # What was written comes back as an event of the service, which is another run's matter.
    hub.reached("succeeded", 1)
    listed = hub.run("approvals", "list", "--state", "any", "--run", asked["run_id"], "--json")
    (given,) = json.loads(listed.stdout)["approvals"]
    assert (given["id"], given["state"], len(given["votes"])) == (asked["id"], "approved", 1)
    assert copies(vendor) == ["copy-copy-g-4"]
    assert hub.end() == 0


def test_neither_the_local_token_nor_a_session_opens_more_than_it_should(approved: HubProcess) -> None:
    """The command line is no person, and a person's session is for approvals alone."""
    hub = approved
    hub.start()
    hub.hook(event(3))
    hub.settled({"waiting": 1})
    path = f"/api/approvals/{one(hub)['id']}"
    body = json.dumps({"password": PASSWORD}).encode()
    typed = {"content-type": "application/json"}
    local = hub.api("POST", f"{path}/approve", {"password": PASSWORD})
    assert (local.status, local.json()["code"], local.type) == (403, "not-a-person", "application/problem+json")
    assert hub.call("POST", f"{path}/approve", body, typed).status == 401
    assert hub.call("POST", f"{path}/approve", body, {**typed, "authorization": "Bearer guessed"}).status == 401

    def signed_in(who: str) -> dict[str, str]:
        order = json.dumps({"email": f"{who}@example.com", "password": PASSWORD}).encode()
        answer = hub.call("POST", "/api/sessions", order, typed)
        assert answer.status == 201
        return {**typed, "authorization": f"Bearer {answer.json()['token']}"}

    ann, olu = signed_in("ann"), signed_in("olu")
    denied = hub.call("POST", f"{path}/approve", body, olu)
    assert (denied.status, denied.json()["code"]) == (403, "not-allowed")
    wrong = hub.call("POST", f"{path}/approve", json.dumps({"password": "wrong"}).encode(), ann)
    assert (wrong.status, wrong.json()["code"]) == (403, "wrong-password")
    assert hub.call("GET", path, None, ann).json()["record"] is not None
    for other in ("/api/runs", "/api/people", "/api/audit", "/api/cases", "/api/secrets"):
        assert hub.call("GET", other, None, ann).status == 401, other
    assert hub.call("DELETE", "/api/sessions", None, ann).status == 204
    assert hub.call("POST", f"{path}/approve", body, ann).status == 401
    assert one(hub)["votes"] == []
    disabled = hub.run("people", "change", "ann@example.com", "--disable")
    assert (disabled.returncode, "may no longer sign in" in disabled.stdout) == (0, True), disabled.stderr
    refused = vote(hub, "approve", path.rpartition("/")[2], "ann")
    assert refused.returncode == 1
    assert hub.end() == 0


def test_people_are_listed_and_changed_by_command(hub: HubProcess) -> None:
    added = hub.run("people", "add", "Ann@Example.com", "--name", "Ann", "--role", "viewer", "--password-stdin",
                    input=PASSWORD)  # fmt: skip
    assert added.returncode == 0, added.stderr
    assert hub.run("people", "change", "ann@example.com", "--role", "approver").returncode == 0
    assert hub.run("people", "change", "ann@example.com", "--disable").returncode == 0
    (person,) = json.loads(hub.run("people", "list", "--json").stdout)["people"]
    assert (person["email"], person["role"], person["disabled"]) == ("ann@example.com", "approver", True)
    assert "password" not in person
    assert hub.run("people", "change", "ann@example.com", "--enable").returncode == 0
    assert "yes" in hub.run("people", "list").stdout
    gone = hub.run("people", "change", "eve@example.com", "--enable")
    assert (gone.returncode, "Nobody signs in" in gone.stderr) == (1, True)
