"""A run keeps the workspace it began with, also over a restart with another one; a replay may choose."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.runtime.process import MAPPING, HubProcess, event


def _texts(vendor: Any) -> dict[str, str]:
    with urllib.request.urlopen(vendor["control_url"] + "/_control/books", timeout=10) as answer:  # noqa: S310
        return {greeting["id"]: greeting["text"] for greeting in json.loads(answer.read())["greetings"]}


def test_a_run_keeps_the_bundle_it_began_with(hub: HubProcess, vendor: Any) -> None:
    """The waiting run goes on with the old mapping, the next event gets the new one."""
    hub.store_secret()
    hub.start()
    assert hub.api("POST", "/api/connections/hello/pause", {"reason": "test"}).status == 200
    hub.hook(event(1, text="old"))
    hub.settled({"waiting": 1})
    (run,) = hub.api("GET", "/api/runs").json()["runs"]
    assert hub.end() == 0

    mapping = hub.workspace / "mappings" / "greeting.yaml"
    mapping.write_text(MAPPING.replace("text: text", "text: upper(text)").replace("version: 1", "version: 2", 1))
    hub.start()
    hub.settled({"waiting": 1})
    assert hub.api("POST", "/api/connections/hello/resume", {"reason": "test"}).status == 200
    hub.settled({"succeeded": 1})
    hub.hook(event(2, text="new"))
    hub.settled({"succeeded": 2})
    texts = _texts(vendor)
    assert (texts["copy-copy-g-1"], texts["copy-copy-g-2"]) == ("old", "NEW")

    detail = hub.api("GET", f"/api/runs/{run['id']}").json()
    assert detail["run"]["bundle"] == run["bundle"]
    current = hub.api("POST", f"/api/runs/{run['id']}/replay", {"bundle": "current"}).json()["run"]
    # What the present mapping would write is not what was written.
    hub.settled({"succeeded": 1, "parked": 1})
    replayed = hub.api("GET", f"/api/runs/{current}").json()
    assert replayed["run"]["bundle"] != run["bundle"]
    assert [case["reason"] for case in replayed["cases"]] == ["written-differently"]
    assert _texts(vendor)["copy-copy-g-1"] == "old"
    assert hub.end() == 0
