"""A hub that serves keeps a feed over NATS, of events, ends of runs and exceptions, until somebody ends it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.proof.processes import Processes
from hub.proof.servers.nats import PASSWORD, Node, cluster
from tests.runtime.process import HubProcess, event

pytestmark = pytest.mark.processes


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Node]:
    (node,) = cluster(tmp_path / "nats", 1)
    with Processes(tmp_path / "logs") as processes:
        processes.start(node.name, node.command())
        yield node


def told(hub: HubProcess, *options: str) -> list[dict[str, Any]]:
    """Give what `concord feed list` prints."""
    done = hub.run("feed", "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def has(hub: HubProcess, count: int, *options: str) -> list[dict[str, Any]]:
    """Wait until so many facts are told."""
    end = time.monotonic() + 30
    while len(found := told(hub, *options)) < count:
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


def of(facts: list[dict[str, Any]], type: str) -> list[dict[str, Any]]:
    return [fact for fact in facts if fact["type"] == type]


def doctor(hub: HubProcess) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(hub.run("doctor", "--json").stdout)["findings"]}


def test_a_hub_tells_what_happens_until_the_feed_is_ended(hub: HubProcess, nats: Node) -> None:
    hub.environ["CONCORD_NATS"] = nats.url
    hub.store_secret()
    hub.start()
    assert hub.hook(event(1)).status == 202
    hub.reached("succeeded", 1)
    facts = has(hub, 2)
    (changed, *_), (ended, *_) = of(facts, "helloworld.greeting.changed"), of(facts, "concord.run.succeeded")
    assert changed["source"] == "/concord/test/hello" and changed["data"]["id"] == "g-1"
    assert ended["data"]["event_id"] == changed["eventid"] and changed["id"] != changed["eventid"]
    assert ended["data"]["flow"] == "greet"
    assert ended["partitionkey"] == ended["data"]["key"] == "g-1"
    assert {fact["type"] for fact in told(hub, "--type", "concord.run.*")} == {"concord.run.succeeded"}
    assert told(hub, "--key", "nobody") == [] and told(hub, "--since", "2100-01-01") == []
    shown = hub.run("feed", "list", "--limit", "1")
    assert shown.stdout.count("\n") == 1 and "greeting.changed" in shown.stdout
    found = doctor(hub)
    assert [found[name]["mark"] for name in ("nats", "feed-stream", "feed")] == ["ok"] * 3
    assert found["nats-sync"]["mark"] == "note" and PASSWORD not in json.dumps(found)
    hub.end()

    # A start without the servers leaves no gap: what happens then waits.
    del hub.environ["CONCORD_NATS"]
    hub.start()
    assert hub.hook(event(2)).status == 202
    hub.reached("succeeded", 2)
    found = doctor(hub)
    assert found["feed"]["mark"] == "warn" and "wait to be published" in found["feed"]["found"] and "nats" not in found
    hub.end()
    hub.environ["CONCORD_NATS"] = nats.url
    hub.start()
    facts = has(hub, 4)
    assert {"g-1", "g-2"} <= {fact["data"]["id"] for fact in of(facts, "helloworld.greeting.changed")}
    assert len({(fact["source"], fact["id"]) for fact in facts}) == len(facts)
    hub.end()

    # And one that ends it does.
    hub.environ["CONCORD_NATS"] = "off"
    hub.start()
    assert hub.hook(event(3)).status == 202
    hub.reached("succeeded", 3)
    hub.end()
    hub.environ["CONCORD_NATS"] = nats.url
    hub.start()
    hub.end()
    assert "g-3" not in {fact["data"].get("id") for fact in told(hub)}
    assert PASSWORD not in (hub.data.parent / "hub.log").read_text()


def test_a_hub_serves_while_nats_is_away(hub: HubProcess) -> None:
    hub.environ["CONCORD_NATS"] = "nats://ada:a-secret-word@127.0.0.1:9"
    hub.store_secret()
    hub.start()
    assert hub.hook(event(1)).status == 202
    hub.reached("succeeded", 1)
    hub.end()
    log = (hub.data.parent / "hub.log").read_text()
    assert "backbone.away" in log and "a-secret-word" not in log
    refused = hub.run("feed", "list")
    assert refused.returncode == 1 and "NATS does not answer" in refused.stderr and "Traceback" not in refused.stderr


def test_a_wrong_setting_is_refused_at_the_start(hub: HubProcess) -> None:
    hub.environ["CONCORD_NATS"] = "http://ada:a-secret-word@h"
    refused = hub.run("serve", "--port", "0")
    assert refused.returncode == 1 and "server 1 is not written as nats://" in refused.stderr
    assert "a-secret-word" not in refused.stderr + refused.stdout
    del hub.environ["CONCORD_NATS"]
    refused = hub.run("feed", "follow")
    assert refused.returncode == 1 and "CONCORD_NATS" in refused.stderr
