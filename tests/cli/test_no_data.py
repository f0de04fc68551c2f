"""A command that names a folder without a hub's data says so, says what to do, and makes nothing there."""

from __future__ import annotations

import gc
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from hub.audit.heads import SignedHead, TreeHead
from hub.cli import place
from hub.cli.main import app
from hub.cli.reach import reach
from hub.store import heads
from hub.store.sqlite import FILE_NAME
from hub.workspace.starting import start_workspace, starter_files

KEY = b64encode(bytes(range(32))).decode()
#: They begin a hub's data, or store what it needs before it serves; and a restore brings it. Workers share a server's.
BEGIN = {"connect", "serve", "worker", "demo", "vault set", "people add", "crossrefs import", "publish", "restore"}
#: What else a command asks for before it looks at the data.
MORE = {
    "effects settle": ["x", "--not-applied", "--evidence", "x"],
    "hold": ["run", "x", "--reason", "x"],
    "resume": ["run", "x", "--reason", "x"],
    "schema infer": ["shop.receipt"],
    "streams backfill": ["vendor", "told", "--from", "2026-01-01", "--reason", "x"],
}


def commands(command: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """Give every command that names the hub's data, by its words."""
    within = getattr(command, "commands", None)
    for name, each in (within or {}).items():
        yield from commands(each, *names, name)
    if within is None and any(parameter.name == "data" for parameter in command.params):
        yield " ".join(names), command


def given(name: str, command: Any) -> list[str]:
    """Give what a command needs to be told, whatever it is."""
    if name in MORE:
        return MORE[name]
    words: list[str] = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            words += ["x"]
        elif parameter.required or parameter.prompt or parameter.name == "reason":
            words += [parameter.opts[0], "x"]
    return words


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return start_workspace(tmp_path_factory.mktemp("used"), starter_files()).folder


READING = [(name, command) for name, command in commands(typer.main.get_command(app)) if name not in BEGIN]


@pytest.mark.parametrize(("name", "command"), READING, ids=[name for name, _ in READING])
def test_nothing_is_made_where_no_hub_has_its_data(workspace: Path, tmp_path: Path, name: str, command: Any) -> None:
    mistyped = tmp_path / "mistyped"
    words = [*name.split(), *given(name, command), "--data", str(mistyped)]
    if any(parameter.name == "workspace" for parameter in command.params):
        words += ["--workspace", str(workspace)]
    done = CliRunner().invoke(app, words, input="secret\n")
    said = " ".join((done.output + str(done.exception)).split())
    assert "no hub's data in" in said
    assert "--data" in said
    assert done.exit_code == 1
    assert not mistyped.exists()


@pytest.fixture
def ids(tmp_path: Path) -> list[str]:
    """Give a command that may begin a hub's data."""
    (tmp_path / "customers.csv").write_text("here,there\n1,2\n")
    return ["crossrefs", "import", "customer", str(tmp_path / "customers.csv")]


@pytest.mark.embedded("its file is begun")
def test_a_command_that_may_begin_it_says_that_it_did(workspace: Path, tmp_path: Path, ids: list[str]) -> None:
    """A mistyped folder is noticed."""
    data = tmp_path / "new"
    for told in (True, False):
        where = ["--data", str(data), "--workspace", str(workspace), "--environment", "local"]
        done = CliRunner().invoke(app, [*ids, *where], env={"CONCORD_KEY": KEY})
        assert (done.exit_code, (data / FILE_NAME).exists()) == (0, True), done.exception
        assert (f"No hub's data was in {data}; it is begun there." in done.output) is told


def test_data_of_which_only_the_heads_are_left_is_not_begun_anew(
    workspace: Path, tmp_path: Path, ids: list[str]
) -> None:
    where = ["--data", str(tmp_path), "--workspace", str(workspace), "--environment", "local"]
    head = TreeHead(size=1, root=b"r", at=datetime(2026, 1, 1, tzinfo=UTC), key_id="k", previous=b"", logs=())
    heads.append(tmp_path, SignedHead(head=head, signature=b"s"))
    for words in (["runs", "list"], ids):
        done = CliRunner().invoke(app, [*words, *where], env={"CONCORD_KEY": KEY})
        assert (done.exit_code, (tmp_path / FILE_NAME).exists()) == (1, False)
        assert "concord restore FILE" in str(done.exception)


@pytest.mark.filterwarnings("error")
def test_a_worker_without_a_server_is_refused_and_leaves_nothing_open(tmp_path: Path) -> None:
    data = tmp_path / "mistyped"
    done = CliRunner().invoke(app, ["worker", "--port", "0", "--data", str(data)])
    assert (done.exit_code, data.exists()) == (1, False)
    assert "--database" in str(done.exception)
    # An open socket tells of itself when it is collected.
    del done
    gc.collect()


@pytest.mark.parametrize("stands", ["", "new"], ids=["no folder", "an empty folder"])
@pytest.mark.parametrize("environment", ["local", "nowhere"])
def test_what_a_refused_command_has_begun_is_taken_away(
    workspace: Path, tmp_path: Path, environment: str, stands: str
) -> None:
    """Whether the hub refuses the order or does not even start."""
    data = tmp_path / "new"
    if stands:
        (tmp_path / stands).mkdir()
    where = ["--data", str(data), "--workspace", str(workspace), "--environment", environment]
    done = CliRunner().invoke(app, ["connect", "stripe", "--json", *where], env={"CONCORD_KEY": KEY})
    assert done.exit_code == 1
    assert "Nothing was stored, and nothing is left there." in done.output
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [stands][: len(stands)]


@pytest.mark.embedded("its file is begun")
def test_what_was_there_or_was_stored_stays_when_a_further_order_is_refused(
    workspace: Path, tmp_path: Path, ids: list[str]
) -> None:
    data = tmp_path / "new"
    where = ["--data", str(data), "--workspace", str(workspace), "--environment", "local"]
    assert CliRunner().invoke(app, [*ids, *where], env={"CONCORD_KEY": KEY}).exit_code == 0
    done = CliRunner().invoke(app, ["connect", "stripe", "--json", *where], env={"CONCORD_KEY": KEY})
    assert (done.exit_code, (data / FILE_NAME).exists()) == (1, True)
    # A folder of somebody's own is left alone, and so is what else was begun there.
    own = tmp_path / "own"
    own.mkdir()
    (own / "notes.txt").write_text("mine")
    where[1] = str(own)
    assert CliRunner().invoke(app, ["connect", "stripe", "--json", *where], env={"CONCORD_KEY": KEY}).exit_code == 1
    assert (own / "notes.txt").read_text() == "mine"


@pytest.mark.embedded("its file is begun")
def test_a_hub_whose_order_may_have_been_carried_out_is_kept(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "new"
    settings = place.settings(data, workspace, "local", None)
    monkeypatch.setenv("CONCORD_KEY", KEY)

    def broken_off() -> None:
        with reach(settings, begins=True) as hub:
            hub.put("/api/crossrefs/customer", {"rows": [{"here": "1", "there": "2"}], "replace": False})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_off()
    assert (data / FILE_NAME).exists()
