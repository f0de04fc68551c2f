"""A back-fill is shown while it goes on: to programs, where nobody sees a bar, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hub.cli import following
from hub.errors import Refused
from hub.runtime.settings import HubSettings
from hub.store.database import Database

SETTINGS = HubSettings(data=Path("nowhere"), workspace=Path(), environment="test")


def row(
    read: int, *, state: str = "open", total: int | None = 300, at_work: int = 0, stopped: int = 0
) -> dict[str, Any]:
    return {
        "id": "backfill_1",
        "connection": "stripe",
        "stream": "customers",
        "state": state,
        "read": read,
        "total": total,
        "at_work": at_work,
        "stopped": stopped,
        "ended": read - at_work - stopped,
        "error": None,
    }


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any] | None]:
    """Give the list of what each look will find; None: no hub answers."""
    coming: list[Mapping[str, Any] | None] = []
    monkeypatch.setattr(following, "_look", lambda _settings, _id: coming.pop(0))
    monkeypatch.setattr(following, "LOOK", 0.0)
    monkeypatch.setattr(following, "LINE", 0.0)
    return coming


def test_programs_get_one_document_a_look(
    looks: list[Mapping[str, Any] | None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A hub that is away for a while is waited for, and the end is that of the last run."""
    looks += [row(0, total=None), row(100, at_work=60), None, row(300, state="done", at_work=2), row(300, state="done")]
    assert following.follow(SETTINGS, "backfill_1", json=True) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["total"], one["ended"], one["state"]) for one in told] == [
        (None, 0, "open"),
        (300, 40, "open"),
        (300, 298, "done"),
        (300, 300, "done"),
    ]
    assert looks == []


def test_one_that_is_listed_again_is_told_from_then_on(
    looks: list[Mapping[str, Any] | None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its count begins anew, and nothing goes backwards."""
    monkeypatch.setattr(following, "_SHORTEST", 1e-9)
    looks += [row(300), row(0, total=None), row(40), row(300, state="done")]
    assert following.follow(SETTINGS, "backfill_1", json=True) == 0
    rates = [json.loads(line)["per_second"] for line in capsys.readouterr().out.splitlines()]
    assert rates[:2] == [None, None]
    assert all(rate > 0 for rate in rates[2:]), rates


def test_lines_tell_how_far_it_is_and_what_stopped(
    looks: list[Mapping[str, Any] | None], capsys: pytest.CaptureFixture[str]
) -> None:
    looks += [row(100, at_work=50), row(300, state="done", stopped=3)]
    assert following.follow(SETTINGS, "backfill_1", json=False) == 1
    told = capsys.readouterr().out
    assert "50 of 300" in told
    assert "300 listed, 297 came to their end, 3 stopped for a person" in told
    assert "concord cases list" in told


def test_a_span_of_a_stream_is_followed_too(looks: list[Mapping[str, Any] | None]) -> None:
    """Its runs are not counted; it has ended when it was read."""
    nothing = dict.fromkeys(("total", "at_work", "stopped", "ended"))
    looks += [row(10) | nothing, row(20, state="done") | nothing]
    assert following.follow(SETTINGS, "backfill_1", json=False) == 0


def test_a_bar_is_shown_on_a_terminal(looks: list[Mapping[str, Any] | None], monkeypatch: pytest.MonkeyPatch) -> None:
    out = StringIO()
    monkeypatch.setattr(following, "console", Console(file=out, force_terminal=True, width=160))
    looks += [row(0, total=None), row(200, at_work=50, stopped=1), row(300, state="done", stopped=1)]
    assert following.follow(SETTINGS, "backfill_1", json=False) == 1
    for part in ("stripe customers", "299/300", "1 stopped"):
        assert part in out.getvalue()


def test_one_that_was_cancelled_did_not_end_well(looks: list[Mapping[str, Any] | None]) -> None:
    looks += [row(100, state="cancelled")]
    assert following.follow(SETTINGS, "backfill_1", json=False) == 1


def test_without_a_hub_it_says_so(tmp_path: Path, looks: list[Mapping[str, Any] | None]) -> None:
    Database(tmp_path).close()
    looks += [None]
    with pytest.raises(Refused, match="goes on where it is as soon as one serves"):
        following.follow(HubSettings(data=tmp_path, workspace=Path(), environment="test"), "backfill_1", json=True)
