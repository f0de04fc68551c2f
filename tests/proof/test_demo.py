"""The demo as a user starts it: real processes, real ports, one JSON object, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub.proof.invariants import Invariant
from hub.proof.processes import Child, DidNotStart, Processes

pytestmark = pytest.mark.processes

_CUSTOMERS = {"from_stripe": 8, "from_netsuite": 7}
DEMO = (sys.executable, "-c", "from hub.cli.main import run; run()", "demo")


def _children_in(folder: Path) -> list[str]:
    """Give the processes that mention a folder in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in line:
                found.append(line)
    return found


def _demo(folder: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [*DEMO, "--once", "--json", "--data", str(folder), *options],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


@pytest.mark.long("concord demo --once --faults none")
def test_without_faults_everything_is_posted(tmp_path: Path) -> None:
    """The object has the fields that others read, and it is all there is on stdout."""
    status, told, errors = _demo(tmp_path / "demo", "--invoices", "12", "--faults", "none", "--seed", "3")
    assert status == 0, errors
    assert told["seed"] == 3
    assert told["invoices_expected"] == told["invoices_posted"] == 12
    assert told["payments_expected"] == told["payments_posted"] > 0
    assert (told["duplicates"], told["lost"], told["mismatched_documents"]) == (0, 0, 0)
    assert set(told["unexplained_difference"]) >= {"JPY", "KWD"}
    assert told["unexplained_difference"]["JPY"] == "0"
    assert told["unexplained_difference"]["KWD"] == "0.000"
    assert told["exceptions_expected"] == told["exceptions_open"] == {}
    assert told["faults_injected"] == {}
    assert (told["kills"], told["effects_open_at_kill"]) == (0, 0)
    assert told["payouts_expected"] == told["payouts_posted"] > 0
    assert told["payouts_returned"] == 1
    assert told["clearing"]["JPY"]["unexplained"] == "0"
    assert {Decimal(row["unexplained"]) for row in told["clearing"].values()} == {Decimal(0)}
    # All that is there is paid out in the end; what was given back since the payout before stays owed.
    assert max(Decimal(row["stripe_balance"]) for row in told["clearing"].values()) <= 0
    assert told["credit_memos_expected"] == told["credit_memos_posted"] > 0
    assert told["refunds_expected"] == told["refunds_posted"] > 0
    # Of each payout it is told that it was paid, and what it is made of; voids and failures of refunds are runs too.
    paid_out = 2 * told["payouts_posted"] + told["payouts_returned"]
    credited = told["credit_memos_posted"] + told["refunds_posted"]
    assert told["runs"] >= told["invoices_posted"] + told["payments_posted"] + credited + paid_out
    # Of eight customers that are changed on both sides one is deleted at Stripe, and stays in the ERP.
    carried = {owner: {"expected": each, "carried_over": each, "different": 0} for owner, each in _CUSTOMERS.items()}
    assert told["customers"] == carried
    assert told["seconds"] > 0
    assert told["invariants"] == {invariant.value: True for invariant in Invariant}
    assert _children_in(tmp_path) == []


def test_a_storm_with_a_kill_breaks_nothing(tmp_path: Path) -> None:
    """Twenty invoices, every kind of fault, one kill -9."""
    status, told, errors = _demo(tmp_path / "demo", "--invoices", "20", "--faults", "storm", "--kill", "1")
    assert status == 0, (told.get("findings"), errors)
    assert told["kills"] == 1
    assert told["effects_open_at_kill"] > 0
    assert told["exceptions_open"] == told["exceptions_expected"]
    assert {"outage", "timeout_after_commit", "reset_after_commit", "webhook_duplicate"} <= set(told["faults_injected"])


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    """Nobody's files are mixed up with the demo's."""
    (tmp_path / "letter.txt").write_text("mine")
    status, told, errors = _demo(tmp_path, "--invoices", "1")
    assert (status, told) == (1, {})
    assert "empty folder" in errors


def test_interrupted_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """A request to end is as good as Ctrl-C: the status is 130 and every child has gone."""
    folder = tmp_path / "demo"
    demo = subprocess.Popen(
        [*DEMO, "--invoices", "20", "--data", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    log = folder / "logs" / "hub.log"
    ends = time.monotonic() + 60
    while not (log.exists() and log.stat().st_size) and time.monotonic() < ends:
        time.sleep(0.1)
    demo.send_signal(signal.SIGTERM)
    assert demo.wait(60) == 130
    assert _children_in(folder) == []


def test_a_program_that_ends_at_once_did_not_start(tmp_path: Path) -> None:
    """What it said last is told."""
    with (
        Processes(tmp_path) as processes,
        pytest.raises(DidNotStart, match="no such luck"),
    ):
        processes.start("broken", (sys.executable, "-c", "import sys; sys.exit('no such luck')"))


def test_whatever_happens_the_children_end(tmp_path: Path) -> None:
    """Also when the block is left by an error."""
    program = "import sys, time; print('{}', flush=True); time.sleep(600)"
    children: list[Child] = []

    def start_and_fail() -> None:
        with Processes(tmp_path) as processes:
            children.extend(processes.start(name, (sys.executable, "-c", program)) for name in ("one", "two"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        start_and_fail()
    assert not any(child.running for child in children)
