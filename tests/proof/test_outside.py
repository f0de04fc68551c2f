"""Proofs from outside: their exit statuses, what they tell, and a restore that makes nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hub.cli.proving import outside
from hub.errors import Refused
from hub.proof import drill
from hub.proof.kills import Life, going_on
from hub.proof.outside import EXIT_CANNOT, Cannot, Proved, percentile, run
from hub.store.database import Database


def holding(_console: Console) -> Proved:
    return Proved(title="It", figures={"cuts": 1200, "lost": {"events": 0}})


def failing(_console: Console) -> Proved:
    return Proved(title="It", figures={}, findings=["event evt_1 is gone"])


def impossible(_console: Console) -> Proved:
    raise Cannot("There is no strace.")


def test_the_exit_status_says_what_came_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(holding, json=False) == 0
    assert "1,200" in capsys.readouterr().out
    assert run(failing, json=False) == 1
    assert "evt_1 is gone" in capsys.readouterr().out
    assert run(impossible, json=False) == EXIT_CANNOT == 3
    assert "Nothing was proved" in capsys.readouterr().out


def test_machines_get_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(failing, json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert found == {"title": "It", "holds": False, "findings": ["event evt_1 is gone"]}


def test_one_proof_is_asked_for_at_a_time() -> None:
    nothing: dict[str, Any] = {"kills": 0, "power_cuts": 0, "invoices": 0, "timeouts": 30, "restores": 0, "seed": 1}
    assert outside(**nothing) is None
    for name in ("kills", "power_cuts", "invoices", "restores"):
        assert outside(**{**nothing, name: 5}) is not None
    with pytest.raises(Refused, match="--kills or --restores"):
        outside(**{**nothing, "kills": 1, "restores": 1})


def test_shares_of_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile(values, 1.0)) == (51.0, 96.0, 100.0)
    assert percentile([], 0.5) == 0.0


@pytest.mark.embedded("its file is read from outside")
def test_a_life_goes_on_with_the_first_work_that_is_durable(tmp_path: Path) -> None:
    """Starting and taking runs up is no progress; a life without any is left out."""
    database = Database(tmp_path)
    with database.writer.begin() as connection:
        for sequence, (kind, at) in enumerate(
            [("hub.started", 100), ("run.recovered", 200), ("effect.done", 1_500_000), ("hub.started", 3_000_000)], 1
        ):
            connection.exec_driver_sql(
                "INSERT INTO audit (chain, sequence, kind, at, entry, chain_hash) VALUES ('main', ?, ?, ?, x'', x'')",
                (sequence, kind, at),
            )
    lives = [Life(started=0, answered=0.1), Life(started=2_000_000, answered=0.1)]
    assert going_on(tmp_path, lives) == [1.5]
    database.close()


@pytest.mark.long("concord prove --restores 1")
@pytest.mark.processes
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("forked_processes")
def test_an_old_backup_makes_nothing_twice() -> None:
    """What was posted after it is found at the targets; only what is not there goes out."""
    proved = drill.prove(Console(quiet=True), restores=1, seed=3, before=2, after=3)
    assert not proved.findings
    assert (proved.figures["duplicates"], proved.figures["lost"]) == (0, 0)
    writes = proved.figures["writes_after_the_restore"]
    assert writes["found"] > 4
    assert (writes["parked"], writes["open"]) == (0, 0)
