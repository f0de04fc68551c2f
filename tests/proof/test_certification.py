"""The certification can fail: each way to declare or write a connector wrongly is caught by one of its trials."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.helloworld.connector import CONNECTOR
from connectors.helloworld.samples import SAMPLES
from hub.cli.main import app
from hub.cli.new_connector import make
from hub.errors import Conflict, Refused
from hub.proof.certification.catalogue import FAULTS, Side, Verdict
from hub.proof.certification.certify import (
    NOTHING,
    State,
    Subject,
    Trial,
    faults_of,
    samples_of,
    subjects_of,
    try_subject,
)
from hub.proof.certification.judging import Ended, Harm, judge
from hub.proof.certification.record import write_record
from hub.proof.certification.sums import sums
from hub.queries.connectors import connector_view, folder_of
from hub.sdk.connector import Connector, ReadOperation, Webhook, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.testing.manifests import read_manifest
from hub.sdk.testing.samples import Samples
from hub.sdk.values import Idempotency, Request, Response

WRITE = next(operation for operation in CONNECTOR.operations if isinstance(operation, WriteOperation))
READ = next(operation for operation in CONNECTOR.operations if isinstance(operation, ReadOperation))
WEBHOOK = CONNECTOR.webhook or Webhook(verify=lambda *_: None, parse=lambda _: [])
(STREAM,) = CONNECTOR.streams
RISING = iter(range(1, 100_000))
ROOT = Path(__file__).parents[2]
#: What these connectors have; listings have tests of their own. Reads and streams of one that holds take long.
SIDES = [side for side in Side if side is not Side.LISTING]
_MARKS = {side: pytest.mark.long("concord connectors certify") for side in (Side.READ, Side.STREAM)}
MOST = [pytest.param(side, marks=_MARKS.get(side, ())) for side in SIDES]


def writing(**changes: Any) -> Connector:
    return replace(CONNECTOR, operations=(READ, replace(WRITE, **changes)))


def reading(**changes: Any) -> Connector:
    return replace(CONNECTOR, operations=(replace(READ, **changes), WRITE))


def hooked(**changes: Any) -> Connector:
    return replace(CONNECTOR, webhook=replace(WEBHOOK, **changes))


def classified(status: int) -> Connector:
    """Take this status for bad data."""
    return replace(
        CONNECTOR,
        classify=lambda response: FixData("no") if response.status == status else CONNECTOR.classify(response),
    )


async def read_blindly(session: Any, record: Any) -> Any:
    """Take whatever comes for the greeting that was asked for."""
    response = await session.send(Request(method="GET", url=f"{session.settings.base_url}/v1/greetings/{record['id']}"))
    return loads(response.body)


async def naming_anew(session: Any, cursor: str | None, since: Any) -> Any:
    """Give each event a name of its own each time it is read."""
    async for page in STREAM.pull(session, cursor, since):
        yield replace(
            page, events=[replace(one, external_id=f"{one.external_id}-{next(RISING)}") for one in page.events]
        )


def trusting(*_given: Any) -> None:
    return None


def trusting_the_old(settings: Any, headers: Mapping[str, str], body: bytes, now: Any) -> None:
    try:
        WEBHOOK.verify(settings, headers, body, now)
    except Refused as refused:
        if refused.code != "stale":
            raise


def naming_each_delivery(body: bytes) -> Sequence[Any]:
    return [replace(event, external_id=f"{event.external_id}-{next(RISING)}") for event in WEBHOOK.parse(body)]


def gullible(response: Response) -> Any:
    """Take anything for a success."""
    try:
        return {**loads(response.body), "id": "g-2"}
    except (FixData, TypeError):
        return {"id": "g-2"}


def giving_up(response: Response) -> Any:
    """Take an answer that cannot be read for a refusal."""
    try:
        return WRITE.result(response)
    except OutcomeUnknown as error:
        raise FixData(str(error)) from error


def breaking(response: Response) -> Any:
    if response.body.startswith(b"<"):
        raise KeyError("id")
    return WRITE.result(response)


#: What is wrong → the connector, the side, and the fault under which it is caught.
MUTANTS: dict[str, tuple[Connector, Side, str]] = {
    "500 after the work taken for a refusal": (classified(500), Side.WRITE, "error-500-after-commit"),
    "an unreadable answer taken for a refusal": (writing(result=giving_up), Side.WRITE, "truncated-body"),
    "any answer taken for a success": (writing(result=gullible, about=None), Side.WRITE, "login-page"),
    "another's answer taken for one's own": (writing(about=None), Side.WRITE, "foreign-answer"),
    "a connector that breaks over an answer": (writing(result=breaking), Side.WRITE, "login-page"),
    "an error read as the record": (reading(read=read_blindly), Side.READ, "error-inside"),
    "another's record read for one's own": (reading(about=lambda *_: True), Side.READ, "foreign-answer"),
    "credentials refused taken for bad data": (classified(401), Side.READ, "credential-revoked"),
    "a limit taken for bad data": (classified(429), Side.READ, "limit-silent"),
    "any signature": (hooked(verify=trusting), Side.WEBHOOK, "hook-badly-signed"),
    "an old signature": (hooked(verify=trusting_the_old), Side.WEBHOOK, "hook-stale"),
    "a name for each delivery": (hooked(parse=naming_each_delivery), Side.WEBHOOK, NOTHING),
    "a name for each reading": (
        replace(CONNECTOR, streams=(replace(STREAM, pull=naming_anew),)),
        Side.STREAM,
        NOTHING,
    ),
}


async def trials_of(connector: Connector, samples: Samples, side: Side, *faults: str) -> dict[str, Trial]:
    """Try the first subject of one side under these faults."""
    subject = next(one for one in subjects_of(connector, samples) if one.side is side)
    chosen = [fault for fault in faults_of(side) if fault.name in faults]
    return {trial.fault: trial for trial in await try_subject(connector, samples, subject, chosen)}


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_wrong_connector_is_caught(mutant: str) -> None:
    connector, side, fault = MUTANTS[mutant]
    trials = await trials_of(connector, SAMPLES, side, fault)
    assert trials[fault].state is State.BROKEN, trials[fault]


@pytest.mark.parametrize("side", MOST)
async def test_the_right_connector_holds_under_every_fault(side: Side) -> None:
    trials = await trials_of(CONNECTOR, SAMPLES, side, *(fault.name for fault in FAULTS))
    assert [trial for trial in trials.values() if trial.state is State.BROKEN] == []
    assert len(trials) == len(faults_of(side)) + 1
    unstruck = {trial.fault for trial in trials.values() if trial.state is State.NOT_STRUCK}
    assert unstruck <= {fault.name for fault in FAULTS if fault.conditional}


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """An environment of its own with this hub and somebody else's package: its Python, and where its packages are."""

    python: Path
    packages: Path


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """Generate a connector, make a wheel of it, and install that with pip into an environment of its own."""
    folder, wheels, home = (tmp_path_factory.mktemp("made") / name for name in ("ledger", "wheels", "home"))
    make("ledger", folder)
    run([sys.executable, "-m", "venv", "--without-pip", str(home)])
    python = home / "bin" / "python"
    packages = Path(run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
    # What the hub needs is there as it is here; the wheel is what is new.
    (packages / "hub.pth").write_text(f"{ROOT}\nimport site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(wheels), str(folder)])
    (wheel,) = wheels.glob("*.whl")
    run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)])
    return Elsewhere(python=python, packages=packages)


def run(arguments: list[str]) -> str:
    """Run a program that must succeed; gives what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=100, env=environment)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran.stdout


@pytest.fixture
def ledger(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> Connector:
    monkeypatch.syspath_prepend(str(elsewhere.packages))
    found = importlib.import_module("concord_ledger.connector").CONNECTOR
    assert isinstance(found, Connector)
    return found


@pytest.mark.parametrize("side", MOST)
async def test_a_generated_connector_holds_at_once(ledger: Connector, side: Side) -> None:
    trials = await trials_of(ledger, samples_of(ledger), side, *(fault.name for fault in FAULTS))
    assert [trial for trial in trials.values() if trial.state is State.BROKEN] == []


def test_a_wheel_from_elsewhere_is_certified_by_name(elsewhere: Elsewhere) -> None:
    chosen = ["ledger", "--fault", "timeout-after-commit", "--json"]
    found = json.loads(run([str(elsewhere.python), "-m", "hub.cli", "connectors", "certify", *chosen]))
    assert found["ok"]
    assert {(trial["fault"], trial["state"]) for trial in found["trials"]} == {
        (NOTHING, "holds"),
        ("timeout-after-commit", "holds"),
    }


def test_a_generated_connector_passes_its_own_tests(elsewhere: Elsewhere, tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    make("ledger", folder)
    quietly = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    assert " passed" in run([str(elsewhere.python), "-m", "pytest", *quietly, str(folder / "tests")])


def test_nothing_is_overwritten_by_a_new_connector(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Conflict):
        make("ledger", tmp_path)
    with pytest.raises(FixData):
        make("Ledger!", tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def unkeyed(connector: Connector, **changes: Any) -> Connector:
    """Leave the idempotency key out of the write, so that the vendor makes another entry each time."""
    read, write = connector.operations
    assert isinstance(write, WriteOperation)
    form = write.request

    def request(settings: Any, record: Any, key: Any) -> Request:
        formed = form(settings, record, key)
        return replace(formed, headers={"content-type": "application/json"})

    return replace(connector, operations=(read, replace(write, request=request, **changes)))


def look(settings: Any, _key: Any) -> Request:
    return Request(method="GET", url=f"{settings.base_url}/v1/events?limit=100")


def found(response: Response, _key: Any) -> Any:
    entries = [event["data"] for event in loads(response.body)["events"]]
    return next((entry for entry in entries if entry["reference"] == "r-2"), None)


def blind(_response: Response, _key: Any) -> Any:
    return None


PROBE, UPSERT = Idempotency.PROBE, Idempotency.UPSERT
#: Wrongly declared kinds: what is declared, and the faults under which the second entry is found.
WRONG_KINDS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a native that duplicates": (
        {},
        ("sent-twice", "timeout-after-commit", "reset-after-commit", "truncated-body", "late-commit"),
    ),
    "an upsert that appends": (
        {"idempotency": UPSERT},
        ("sent-twice", "timeout-after-commit", "error-500-after-commit"),
    ),
    "a probe whose look does not find": (
        {"idempotency": PROBE, "look": look, "found": blind},
        ("timeout-after-commit", "empty-answer"),
    ),
    "a probe that does not wait for what is late": (
        {"idempotency": PROBE, "look": look, "found": found, "settle": 0.0},
        ("late-commit",),
    ),
}


@pytest.mark.parametrize("mutant", WRONG_KINDS)
async def test_a_wrongly_declared_kind_is_found_out(ledger: Connector, mutant: str) -> None:
    changes, faults = WRONG_KINDS[mutant]
    trials = await trials_of(unkeyed(ledger, **changes), samples_of(ledger), Side.WRITE, *faults)
    for fault in faults:
        assert any("duplicate" in sentence for sentence in trials[fault].told), trials[fault]


async def test_a_rightly_declared_probe_holds(ledger: Connector) -> None:
    right = unkeyed(ledger, idempotency=PROBE, look=look, found=found)
    trials = await trials_of(right, samples_of(ledger), Side.WRITE, "late-commit", "timeout-after-commit", "look-fails")
    assert {trial.state for trial in trials.values()} == {State.HOLDS}, trials


async def test_what_nobody_can_tell_ends_with_a_person(ledger: Connector) -> None:
    unsafe = unkeyed(ledger, idempotency=Idempotency.UNSAFE)
    trials = await trials_of(unsafe, samples_of(ledger), Side.WRITE, "timeout-after-commit", "reset-before")
    assert {trial.state for trial in trials.values()} == {State.HOLDS}, trials


def test_a_write_without_a_kind_cannot_be_declared() -> None:
    undeclared: Any = {"name": "x.write", "title": "x", "input": {}, "output": {}, "request": None, "result": None}
    with pytest.raises(TypeError, match="idempotency"):
        WriteOperation(**undeclared)
    with pytest.raises(ValueError, match="probe"):
        WriteOperation(**undeclared, idempotency=PROBE)


async def test_what_has_no_sample_does_not_hold() -> None:
    bare = replace(SAMPLES, reads=(), webhooks=())
    told = [
        sentence
        for subject in subjects_of(CONNECTOR, bare)
        if subject.number < 0
        for trial in await try_subject(CONNECTOR, bare, subject, FAULTS)
        for sentence in trial.told
    ]
    assert len(told) == 2


async def test_an_exemption_that_is_not_needed_is_an_error() -> None:
    exempt = replace(SAMPLES, exempt={"greeting.read": {"error-502": "just because"}})
    trials = await trials_of(CONNECTOR, exempt, Side.READ, "error-502")
    assert trials["error-502"].state is State.BROKEN
    needed = replace(SAMPLES, exempt={"greeting.read": {"error-inside": "what comes is taken as it is"}})
    trials = await trials_of(reading(read=read_blindly), needed, Side.READ, "error-inside")
    assert trials["error-inside"].state is State.EXEMPT


RIGHT = Ended(
    run="succeeded", reason=None, effect="done", output={"id": "1"}, expected={"id": "1"}, documents=1,
    cases=0, pauses=0, mended=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"documents": 2}, Verdict.TRUTHFUL),
        ({"documents": 0}, Verdict.TRUTHFUL),
        ({"effect": "failed"}, Verdict.TRUTHFUL),
        ({"effect": None}, Verdict.TRUTHFUL),
        ({"output": {"id": "2"}}, Verdict.TRUTHFUL),
        ({"run": "parked", "effect": "unknown", "documents": 1}, Verdict.TRUTHFUL),
        ({"run": "parked", "effect": "unknown", "documents": 1, "cases": 1}, Verdict.DONE),
        ({"run": "waiting", "effect": "unknown"}, Verdict.TRUTHFUL),
        ({"reason": "internal-error", "run": "parked", "cases": 1}, Verdict.TRUTHFUL),
        ({"strayed": 1}, Verdict.TRUTHFUL),
        ({"pauses": 2}, Verdict.MENDED),
        ({"pauses": 0}, Verdict.PAUSED),
        ({"pauses": 1}, Verdict.DONE),
        ({"documents": None, "output": {"id": "2"}}, Verdict.DONE),
    ],
)
def test_the_judge_finds_what_is_wrong(changes: dict[str, Any], verdict: Verdict) -> None:
    assert judge(RIGHT, Verdict.DONE, Idempotency.NATIVE) == []
    assert judge(replace(RIGHT, **changes), verdict, Idempotency.NATIVE)


def test_there_are_enough_faults_and_each_is_one() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 30
    for side in (Side.WRITE, Side.READ, Side.STREAM):
        assert len(faults_of(side)) >= 30, side


def test_what_held_is_written_into_the_manifest(ledger: Connector) -> None:
    subject = Subject(connector="ledger", side=Side.WRITE, name="entry.create", number=0)
    held = [
        Trial(subject=subject, fault=NOTHING, state=State.HOLDS),
        Trial(subject=subject, fault="error-500", state=State.HOLDS),
        Trial(subject=subject, fault="error-502", state=State.EXEMPT, told=("it cannot",)),
        Trial(subject=subject, fault="token-fails", state=State.NOT_STRUCK),
    ]
    with pytest.raises(Refused):
        write_record(ledger, [replace(held[1], state=State.BROKEN)], on=date(2026, 11, 22), concord="1.2")
    before = (folder_of(ledger) / "manifest.yaml").read_text("utf-8")
    path = write_record(ledger, held, on=date(2026, 11, 22), concord="1.2")
    assert path.read_text("utf-8").startswith(before), "what people wrote is written anew"
    assert write_record(ledger, held, on=date(2026, 11, 22), concord="1.2").read_text("utf-8").count("concord:") == 1
    manifest = read_manifest(path)
    assert not manifest.mistakes
    assert manifest.certification is not None
    assert (manifest.certification.faults, manifest.certification.trials, manifest.certification.tried) == (2, 3, 1)
    assert (manifest.certification.on, manifest.certification.concord) == ("2026-11-22", "1.2")
    assert connector_view(ledger).standing == "certified"
    code = path.parent / "client.py"
    code.write_text(code.read_text() + "# changed\n")
    assert connector_view(ledger).standing == "changed since it was certified"


def test_the_command_line_shows_what_is_installed() -> None:
    listed = json.loads(CliRunner().invoke(app, ["connectors", "list", "--json"]).stdout)
    assert "helloworld" in {each["name"] for each in listed["connectors"]}
    shown = CliRunner().invoke(app, ["connectors", "show", "helloworld"])
    assert "exempt: a greeting that was said cannot be taken back" in shown.stdout
    faults = json.loads(CliRunner().invoke(app, ["connectors", "faults", "--json"]).stdout)["faults"]
    assert [fault["name"] for fault in faults] == [fault.name for fault in FAULTS]
    assert CliRunner().invoke(app, ["connectors", "certify", "helloworld", "--fault", "no-such-fault"]).exit_code != 0


def test_several_are_tried_at_once() -> None:
    chosen = ["--fault", "hook-stale", "--fault", "error-502"]
    result = CliRunner().invoke(app, ["connectors", "certify", "helloworld", *chosen, "--jobs", "2", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [trial["name"] for trial in found["trials"] if trial["fault"] == "hook-stale"] == ["greeting_changed.json"]
    assert [trial["side"] for trial in found["trials"]] == [side for side in SIDES for _ in range(2)]
    (one,) = found["connectors"]
    assert (one["tried"], one["faults"], one["trials"], one["held"], one["broken"]) == (4, 2, 8, 8, 0)
    assert (one["duplicate"], one["lost"], one["wrong_outcome"], one["exempt"]) == (0, 0, 0, [])


def test_one_table_tells_of_all_and_a_package_that_cannot_be_loaded_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = ["connectors", "certify", "--all", "--fault", "error-502", "--operation", "greeting.read"]
    held = CliRunner().invoke(app, chosen)
    assert held.exit_code == 0, held.output
    assert "[1/1] helloworld read greeting.read: 2 holds" in held.stdout
    heads = ("Connector", "Tried", "Exempt", "Broken", "Duplicates", "Lost", "Wrong outcomes")
    assert all(head in held.stdout for head in heads)
    assert "All of it holds: 2 trials of 1 operations, webhooks, streams and listings" in held.stdout

    package = tmp_path / "careless-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: careless\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[concord.connectors]\ncareless = careless_connector\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    broken = CliRunner().invoke(app, chosen)
    assert broken.exit_code == 1
    assert "careless of careless cannot be loaded, and was not tried: ModuleNotFoundError" in broken.stdout
    found = json.loads(CliRunner().invoke(app, [*chosen, "--json"]).stdout)
    assert not found["ok"]
    assert [each["name"] for each in found["not_loaded"]] == ["careless"]


def test_trials_are_summed_up_by_the_harm_they_show() -> None:
    subject = Subject(connector="ledger", side=Side.WRITE, name="entry.create", number=0)
    told = {
        "error-500": ("duplicate: the books have it 2 times", "a person is needed (x)"),
        "error-502": ("lost: it counts as done, and the books do not have it",),
        "error-503": ("wrong outcome: the run succeeded, and the write is unknown",),
        "error-504": ("the connection was paused 2 times",),
    }
    trials = [Trial(subject=subject, fault=name, state=State.BROKEN, told=words) for name, words in told.items()]
    trials += [
        Trial(subject=subject, fault="late-commit", state=State.EXEMPT, told=("lost: it must be",)),
        Trial(subject=subject, fault="token-fails", state=State.NOT_STRUCK),
        Trial(subject=replace(subject, number=1), fault="error-500", state=State.HOLDS),
    ]
    (found,) = sums(trials)
    assert found.harm == {Harm.DUPLICATE: 1, Harm.LOST: 1, Harm.WRONG_OUTCOME: 1}
    assert (found.tried, found.faults, found.trials) == (1, 5, 7)
    assert (found.held, found.not_struck, found.broken, len(found.exemptions)) == (1, 1, 4, 1)


def test_only_what_holds_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One connector that does not hold keeps no other from being written down."""
    written: list[str] = []

    def trials(subjects: Sequence[Subject], **_chosen: Any) -> Iterator[list[Trial]]:
        for subject in subjects:
            state = State.BROKEN if subject.connector == "helloworld" else State.HOLDS
            yield [Trial(subject=subject, fault=NOTHING, state=state)]

    def write(connector: Connector, _trials: Sequence[Trial], **_told: Any) -> Path:
        written.append(connector.name)
        return tmp_path

    monkeypatch.setattr("hub.proof.certification.certify.certify", trials)
    monkeypatch.setattr("hub.proof.certification.record.write_record", write)
    result = CliRunner().invoke(app, ["connectors", "certify", "helloworld", "taxtable", "--write"])
    assert result.exit_code == 1
    assert written == ["taxtable"]


def test_every_fault_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "certification.md").read_text("utf-8")
    missing = [fault.name for fault in FAULTS if f"| `{fault.name}` | {fault.what} |" not in text]
    assert missing == []
    assert [verdict for verdict in Verdict if f"| `{verdict}` |" not in text] == []
    assert [state for state in State if f"| `{state}` |" not in text] == []
