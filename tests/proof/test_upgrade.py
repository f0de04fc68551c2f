"""The rehearsal of an upgrade: which versions it takes, and that it sees what goes wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub.proof import upgrade
from hub.proof.outside import Cannot
from hub.proof.upgrade import Upgrading, Version, new_version, old_version
from hub.proof.upgrade_steps import Rehearsed
from hub.store.migrating import NEWEST

STEPS = Rehearsed(adds="9001", indexes="9002", takes_away="9003")


def test_the_new_version_is_this_one_with_three_steps_more(tmp_path: Path) -> None:
    """Its folder is whole, and runs without this one."""
    made, steps = new_version(tmp_path)
    assert made.newest == steps.takes_away == f"{int(NEWEST) + 3:04}"
    said = subprocess.run(
        [*made.once[:-1], "import hub.store.migrating as m; print(m.__file__, m.NEWEST, m.needed())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert said == [str(tmp_path / "new/hub/store/migrating.py"), steps.takes_away, steps.indexes]


def test_the_old_version_is_a_folder_or_nothing(tmp_path: Path) -> None:
    """What is none is said so, before anything is started."""
    made, _steps = new_version(tmp_path)
    assert old_version(str(tmp_path / "new"), tmp_path).newest == made.newest
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").touch()
    (tmp_path / "empty/hub").mkdir(parents=True)
    for given, told in (("venv", "not installed in"), ("empty", "no Concord in"), ("nowhere", "no folder with")):
        with pytest.raises(Cannot, match=told):
            old_version(str(tmp_path / given), tmp_path)


class Told:
    """A company whose commands end as a test says."""

    def __init__(self, status: int, said: bytes) -> None:
        """Take how every command ends."""
        self.old = Version(name="old", concord=(), once=(), newest="0010")
        self.new = Version(name="new", concord=(), once=(), newest="9003")
        self.database = "postgresql://"
        self._done: subprocess.CompletedProcess[bytes] = subprocess.CompletedProcess([], status, said, b"")

    def run(self, *_words: Any) -> subprocess.CompletedProcess[bytes]:
        """Give the end of any command."""
        return self._done

    starts = run


def upgrading(company: Told) -> Upgrading:
    """Give the conductor of an upgrade whose stage nobody asks."""
    made = object.__new__(Upgrading)
    made._company, made._rehearsed, made._say = company, STEPS, lambda _text: None  # type: ignore[assignment]
    made._stage = SimpleNamespace(hub=SimpleNamespace(data=Path("data")))  # type: ignore[assignment]
    made.findings, made.took = [], {}
    return made


def test_what_was_taken_too_early_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As is what is never taken, what is still outstanding, and an old worker that starts in the end."""
    monkeypatch.setattr(upgrade, "_GONE_WITHIN", 0.0)
    early = upgrading(Told(0, b'{"steps": []}'))
    early._too_early()
    assert "was taken from them" in early.findings[0]
    early._post()
    assert "was not refused in the end" in early.findings[1]
    never = upgrading(Told(1, b"older processes have not ended"))
    never._too_early()
    assert never.findings == []
    never._post()
    assert "`concord migrate --post` failed" in never.findings[0]
    left = upgrading(Told(0, b'{"steps": [{"step": "9003", "state": "outstanding"}]}'))
    left._expect(set())
    assert left.findings == ["outstanding are the steps ['9003'], not []"]
