"""Who uses a command wrongly is told so in one line, with an exit status, and never sees a traceback."""

from __future__ import annotations

import io
import socket
import sys
from pathlib import Path

import pytest
import typer

from hub.cli import main, place, reach, tables
from hub.errors import Refused
from hub.workspace.starting import start_workspace, starter_files


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = start_workspace(tmp_path_factory.mktemp("used"), starter_files()).folder
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command as the shell does; gives the exit status."""
    monkeypatch.setattr(sys, "argv", ["concord", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main.run()
    return int(ended.value.code or 0)


WRONG = [
    ("check nowhere", 1, "There is no such workspace folder."),
    ("check README.md", 1, "A workspace is a folder, and this is a file."),
    ("check docs", 1, "it has no `flows` folder"),
    ("test --filter zzz", 1, "No example's file, subject or title has `zzz`."),
    ("map stripe/recept", 1, "Did you mean `stripe/receipt`?"),
    ("map stripe/receipt@7", 1, "is at version 1 here, not 7"),
    ("lineage shop.receipt.totl", 1, "Did you mean `shop.receipt.total`?"),
    ("lineage shop.receipt --flow zzz", 1, "There are: thank-customers."),
    ("lineage shop.receipt --svg nowhere/a.svg", 1, "The picture cannot be written: No such file or directory."),
    ("schema show stripe.invoice@9", 1, "There is no version `9` of `stripe.invoice`."),
    ("schema infer shop.receipt --from nowhere", 1, "nowhere cannot be read"),
    ("drift --kind zzz", 2, "There are: unknown-field, missing-field, changed-type, new-value, unregistered-version."),
    ("events list --state zzz", 2, "There are: accepted, unrouted, quarantined, rejected."),
    ("events release", 2, "Name events by their ids"),
    ("publish --confirm", 1, "Say why with --reason TEXT"),
    ("vault set stripe --file nowhere", 1, "No such file or directory. (nowhere)"),
    ("crossrefs import customer nowhere.csv", 1, "No such file or directory. (nowhere.csv)"),
    ("sandbox zzz", 1, "No connector named 'zzz' offers a sandbox. There are: avatax, helloworld, netsuite,"),
    ("demo --faults zzz", 1, "write none, standard or storm"),
    ("init .", 1, "The folder is not empty."),
    ("approvals list --state zzz", 2, "There are: pending, approved, refused, expired, void, any."),
    ("cases list --state zzz", 2, "There are: open, closed, any."),
    ("runs list --state zzz", 2, "There are: queued, running, waiting, succeeded, parked,"),
    ("vault set stripe --file picture.png", 1, "picture.png is no text in UTF-8: byte 0 cannot be read."),
    ("vault set stripe --file list.json", 1, "list.json: Give the secret as a JSON object of texts"),
    ("vault set stripe --file broken.json", 1, "broken.json: This is not readable JSON"),
    ("connect stripe --secret-file api_key=picture.png --json", 1, "picture.png is no text in UTF-8"),
    ("crossrefs import customer picture.png", 1, "picture.png is no text in UTF-8"),
    ("crossrefs import customer empty.csv", 1, "empty.csv:1: The header names the systems"),
    ("crossrefs import customer broken.json", 1, "broken.json:1: The header names the systems"),
    ("schema list zzz", 1, "There is no schema `zzz`."),
    ("sandbox stripe --port 99999", 2, "Invalid value for '--port'"),
    ("serve --port 99999", 2, "Invalid value for '--port'"),
    ("demo --port -1", 2, "Invalid value for '--port'"),
    ("prove --timeouts 20", 2, "`--timeouts` goes with `--invoices`"),
]
#: What some of them are given.
FILES = {
    "picture.png": bytes([0x89]) + b"PNG",
    "broken.json": b"{nope",
    "list.json": b"[]",
    "empty.csv": b"",
}


@pytest.mark.parametrize(("command", "status", "told"), WRONG, ids=[command for command, _, _ in WRONG])
def test_it_is_told_in_a_line(
    workspace: Path,
    command: str,
    status: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(workspace)
    monkeypatch.delenv("CONCORD_WORKSPACE", raising=False)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert run(command, monkeypatch) == status
    said = capsys.readouterr()
    assert told in said.out + said.err
    assert "Traceback" not in said.out + said.err


def test_what_is_asked_for_without_a_terminal_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert run("cases close case_1", monkeypatch) == 1
    assert "nobody answers: give what it asks for as an option" in capsys.readouterr().err


#: What prints JSON anyway.
ALWAYS_JSON = {"runs record", "sandbox"}


def test_machines_may_read_every_command() -> None:
    def without(command: object, words: str) -> list[str]:
        inner = getattr(command, "commands", None)
        if inner is not None:
            return [name for word, each in inner.items() for name in without(each, f"{words} {word}".strip())]
        options = {name for each in getattr(command, "params", ()) for name in each.opts}
        return [] if "--json" in options else [words]

    assert set(without(typer.main.get_command(main.app), "")) == ALWAYS_JSON


def test_a_sandbox_whose_port_is_taken_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(f"sandbox helloworld --port {port}", monkeypatch) == 1
    assert "Cannot listen on 127.0.0.1: Address already in use." in capsys.readouterr().err


def test_what_vendors_write_is_never_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    strange = "[/x] [red]"
    case = {"id": "case_1", "reason": "odd", "business_key": strange, "money": None, "path": "post"}
    tables.show_cases([{**case, "owner_name": strange, "opened_at": "2026-11-01T00:00:00Z"}])
    behind = {"waiting": {"runs": 0, "money": [], "unknown": 0}, "runs": []}
    tables.show_case(
        {
            "case": {**case, "detail": strange, "run_id": "run_1"},
            "facts": {},
            "alike": 1,
            "behind": behind,
            "in_doubt": [],
            "runbook": None,
        }
    )
    assert capsys.readouterr().out.count(strange) == 4


def test_orders_go_to_no_other_environment_than_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Serving:
        def __init__(self, url: str, token: str) -> None:
            self.url, self.token = url, token

        def environment(self) -> str:
            return "production"

    monkeypatch.setattr(reach, "read_address", lambda data: "http://127.0.0.1:1")
    monkeypatch.setattr(reach, "read_local_token", lambda data: "token")
    monkeypatch.setattr(reach, "Reached", Serving)
    workspace = start_workspace(tmp_path, starter_files()).folder
    for named in ("production", place.DEFAULT_ENVIRONMENT):
        with reach.reach(place.settings(Path(".data"), workspace, named, None)) as hub:
            assert hub.url == "http://127.0.0.1:1"
    with (
        pytest.raises(Refused, match="serves production, not staging"),
        reach.reach(place.settings(Path(".data"), workspace, "staging", None)),
    ):
        raise AssertionError("never reached")
