"""How NATS is set is looked at as far as it can be seen; what cannot be seen is said so, and no secret is."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from hub.backbone.examining import Remark, examined, of_account, of_stream, of_sync
from hub.backbone.line import Away
from hub.backbone.settings import NatsSettings, nats_settings
from hub.backbone.stream import Seen
from hub.proof.servers.nats import PASSWORD
from hub.runtime import feeding
from hub.runtime.clock import SystemClock
from hub.sandbox.certificates import client_file, issue
from hub.store import outbox
from hub.store.committer import Work
from tests.backbone.hubs import Servers, Teller, line_to, until

SEEN = Seen(made="m", messages=5, size=950_000, first=1, last=5, first_at=1, copies=1, config={"storage": "file"})


def given(servers: str = "nats://127.0.0.1", **environ: str) -> NatsSettings:
    found = nats_settings({"CONCORD_NATS": servers, **environ})
    assert found is not None
    return found


def marks(remarks: list[Remark]) -> dict[str, str]:
    return {remark.name: remark.severity for remark in remarks}


def jetstream(**config: Any) -> dict[str, Any]:
    return {"jetstream": {"config": config}}


@pytest.mark.parametrize(
    ("answers", "severity", "said"),
    [
        ({"a": jetstream(sync_always=True)}, "ok", "1 servers; other servers"),
        ({"a": jetstream(sync_always=True), "b": jetstream(sync_always=True)}, "ok", "2 servers"),
        ({"a": jetstream(sync_always=True), "b": jetstream(sync_interval=120)}, "warn", "at b"),
        ({"a": jetstream(sync_always=True), "b": "refused"}, "warn", "b: refused"),
        ({"a": {"jetstream": {}}, "b": jetstream()}, "fail", "not on at a"),
    ],
)
def test_how_servers_sync_is_judged(answers: dict[str, Any], severity: str, said: str) -> None:
    remark = of_sync(tuple(answers), answers)
    assert remark.severity == severity and said in remark.found


def test_what_cannot_be_seen_is_said_so() -> None:
    remark = of_sync((), {})
    assert remark.severity == "note" and "cannot be seen" in remark.found and "sync_interval: always" in remark.advice


@pytest.mark.parametrize(
    ("config", "environ", "expected"),
    [
        ({"num_replicas": 1}, {}, {"feed-stream": "ok", "feed-copies": "note"}),
        ({"num_replicas": 3}, {"CONCORD_NATS_REPLICAS": "3"}, {"feed-stream": "warn"}),
        ({"num_replicas": 1}, {"CONCORD_NATS_REPLICAS": "3"}, {"feed-stream": "warn", "feed-copies": "note"}),
        ({"storage": "memory"}, {}, {"feed-stream": "fail"}),
        ({"persist_mode": "async"}, {}, {"feed-stream": "fail"}),
        ({"no_ack": True}, {}, {"feed-stream": "fail"}),
        ({"max_bytes": 1_000_000}, {}, {"feed-stream": "ok", "feed-copies": "note", "feed-size": "warn"}),
    ],
)
def test_a_stream_is_judged_by_what_is_asked_of_it(
    config: dict[str, Any], environ: dict[str, str], expected: dict[str, str]
) -> None:
    assert marks(of_stream(replace(SEEN, config={**SEEN.config, **config}), given(**environ))) == expected
    assert marks(of_stream(None, given())) == {"feed-stream": "warn"}


@pytest.mark.parametrize(
    ("used", "limit", "largest", "expected"),
    [
        (5, -1, 1_048_576, {"nats-room": "ok"}),
        (89, 100, 1_048_576, {"nats-room": "ok"}),
        (91, 100, 1_048_576, {"nats-room": "warn"}),
        (0, 0, 1_048_576, {"nats-room": "fail"}),
        (5, -1, 65_536, {"nats-room": "ok", "nats-payload": "note"}),
    ],
)
def test_the_room_of_an_account_is_judged(used: int, limit: int, largest: int, expected: dict[str, str]) -> None:
    own = {"storage": used, "limits": {"max_storage": limit}}
    assert marks(of_account(own, largest=largest, copies=3)) == expected
    assert marks(of_account(None, largest=1_048_576, copies=1)) == {"nats-room": "fail"}


@pytest.mark.parametrize(("used", "severity"), [(269, "ok"), (271, "warn")])
def test_a_limit_for_a_number_of_copies_is_of_one_of_them(used: int, severity: str) -> None:
    """The server counts all copies, and lets there be as many times the limit."""
    tier = {"storage": used, "limits": {"max_storage": 100}}
    other = {"storage": 99, "limits": {"max_storage": 100}}
    told = {"storage": used + 99, "limits": {"max_storage": 0}, "tiers": {"R1": other, "R3": tier}}
    (remark,) = of_account(told, largest=1_048_576, copies=3)
    assert remark.severity == severity and remark.found.endswith("in tier R3")
    tier["limits"] = {"max_storage": -1}
    (remark,) = of_account(told, largest=1_048_576, copies=3)
    assert (remark.severity, remark.found) == ("ok", "0.0 MB used in tier R3, no limit is set")


async def test_the_way_and_the_files_are_looked_at(tmp_path: Path) -> None:
    issue(tmp_path, "localhost", clients=["hub"])
    pem = client_file(tmp_path, "hub")
    pem.chmod(0o644)
    open_way = await examined(None, given("nats://nats.example.com,tls://other"), "e", away="nobody")
    found = {remark.name: remark for remark in open_way}
    assert found["nats"].severity == "warn" and "nobody" in found["nats"].found
    assert found["nats-way"].severity == "warn" and "nats://nats.example.com:4222" in found["nats-way"].found
    closed = given("tls://nats.example.com", CONCORD_NATS_CERT=str(pem), CONCORD_NATS_KEY=str(pem))
    found = {remark.name: remark for remark in await examined(None, closed, "e", away="nobody")}
    assert found["nats-way"].severity == "ok" and found["nats-files"].severity == "warn"
    pem.chmod(0o600)
    assert marks(await examined(None, closed, "e", away="x"))["nats-files"] == "ok"
    assert marks(await examined(None, given("nats://localhost"), "e", away="x"))["nats-way"] == "ok"
    # A certificate of our own is shown on an encrypted way alone.
    ours = given("nats://nats.example.com", CONCORD_NATS_CERT=str(pem), CONCORD_NATS_KEY=str(pem))
    found = {remark.name: remark for remark in await examined(None, ours, "e", away="x")}
    assert (found["nats-way"].severity, found["nats-way"].found) == ("ok", "encrypted")


@pytest.mark.processes
async def test_a_server_is_examined_as_it_is(shared: Servers, teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a hub connects, and whenever it is asked for."""
    monkeypatch.setattr("hub.backbone.backbone._EXAMINED_AFTER", 0.0)
    (child,) = shared.children.values()
    settings = shared.settings(CONCORD_NATS_MONITOR=f"{child.hello['monitor']},http://127.0.0.1:9")
    with structlog.testing.capture_logs() as logs:
        backbone = teller.backbone(settings)
        await until(lambda: any(entry["event"] == "backbone.setting" for entry in logs))
    assert "nats-sync" in {entry.get("of") for entry in logs} and PASSWORD not in str(logs)
    await teller.tell(1)
    await teller.published()
    found = {remark.name: remark for remark in await backbone.examine()}
    assert found["nats"].severity == "ok" and "version 2" in found["nats"].found
    assert found["nats-sync"].severity == "warn" and "http://127.0.0.1:9" in found["nats-sync"].found
    assert found["feed-stream"].severity == "ok" and "1 messages" in found["feed-stream"].found
    settings = shared.settings(CONCORD_NATS_MONITOR=child.hello["monitor"])
    async with line_to(settings) as line:
        assert marks(await examined(line, settings, teller.environment))["nats-sync"] == "ok"
    assert found["nats-room"].severity == "ok" and "nats-payload" not in found
    assert PASSWORD not in str([*found.values()])


@pytest.mark.processes
async def test_a_password_that_is_refused_is_never_shown(
    shared: Servers, teller: Teller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "a-secret-word"
    wrong = given(shared.nodes[0].url.replace(PASSWORD, secret))
    with structlog.testing.capture_logs() as logs:
        backbone = teller.backbone(wrong)
        await until(lambda: backbone.away is not None and "Authorization" in backbone.away)
        remarks = await backbone.examine()
        with pytest.raises(Away) as told:
            async with line_to(wrong):
                pass
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["backbone.away"]
    for shown in (str(logs), caplog.text, str(remarks), str(told.value), repr(told.value), repr(backbone.settings)):
        assert secret not in shown


async def test_what_waits_to_be_published_is_told(teller: Teller) -> None:
    def look(**environ: str) -> dict[str, Any]:
        with teller.database.reading() as connection:
            found = feeding.of_outbox(connection, teller.environment, environ, SystemClock().now() + 2 * feeding.LATE)
        return {finding.name: finding for finding in found}

    assert look() == {}
    await teller.committer.commit(Work(lambda tx: outbox.keep(tx, teller.environment, kept=True)))
    assert look()["feed"].mark.value == "ok"
    await teller.tell(1, 2)
    assert "2 facts wait" in look()["feed"].found and "CONCORD_NATS=off" in look()["feed"].advice
    assert look(CONCORD_NATS="nats://h")["feed"].mark.value == "warn"


def test_without_a_hub_the_servers_are_examined_too(shared: Servers) -> None:
    assert feeding.beside({}, "e") == []
    found = {finding.name: finding for finding in feeding.beside(shared.environ(), "e_nobody")}
    assert found["nats"].mark.value == "ok" and found["feed-stream"].mark.value == "warn"
    (wrong,) = feeding.beside({"CONCORD_NATS": "http://ada:pw@h"}, "e")
    assert wrong.mark.value == "fail" and "pw" not in wrong.found
    away = {finding.name: finding for finding in feeding.beside({"CONCORD_NATS": "nats://127.0.0.1:9"}, "e")}
    assert away["nats"].mark.value == "warn" and "127.0.0.1:9" in away["nats"].found
