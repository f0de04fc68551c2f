"""Connectors are found by entry point; duplicates are refused, broken ones are set apart."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from connectors.helloworld.connector import CONNECTOR
from hub.connections.registry import DuplicateConnector, Registry, load_connectors
from hub.errors import NotFound
from hub.sdk.connector import Connector
from hub.sdk.hooks import ENTRY_POINTS, hookimpl

HELLOWORLD = EntryPoint(name="helloworld", value="connectors.helloworld", group=ENTRY_POINTS)
AVATAX = EntryPoint(name="avatax", value="connectors.avatax", group=ENTRY_POINTS)


def plugin(monkeypatch: pytest.MonkeyPatch, module: str, body: str, *, name: str = "other") -> EntryPoint:
    """Make an importable module with a hook of this body, and its entry point."""
    made = ModuleType(module)
    space: dict[str, object] = {"hookimpl": hookimpl, "CONNECTOR": CONNECTOR}
    exec(f"@hookimpl\ndef concord_connector():\n    {body}", space)  # noqa: S102 - the plugin is the test's own
    made.concord_connector = space["concord_connector"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module, made)
    return EntryPoint(name=name, value=module, group=ENTRY_POINTS)


def test_connectors_are_given_by_name() -> None:
    registry = load_connectors([AVATAX, HELLOWORLD])
    assert list(registry) == ["avatax", "helloworld"]
    assert registry.connector("helloworld") is CONNECTOR
    assert registry.broken == ()


def test_an_unknown_name_says_what_is_installed() -> None:
    with pytest.raises(NotFound) as refusal:
        load_connectors([HELLOWORLD, AVATAX]).connector("helloword")
    assert refusal.value.code == "unknown-connector"
    assert refusal.value.facts["installed"] == "avatax, helloworld"


def test_the_same_entry_point_twice_is_one() -> None:
    assert list(load_connectors([HELLOWORLD, HELLOWORLD])) == ["helloworld"]


def test_two_connectors_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    second = plugin(monkeypatch, "imposter", "return CONNECTOR", name="helloworld")
    with pytest.raises(DuplicateConnector) as refusal:
        load_connectors([HELLOWORLD, second])
    assert refusal.value.facts == {"connector": "helloworld", "first": "connectors.helloworld", "second": "imposter"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise RuntimeError('no licence file')", "RuntimeError: no licence file"),
        ("return None", "must implement the hook"),
        ("return 'helloworld'", "must implement the hook"),
        ("return CONNECTOR", "the entry point is named 'other', its connector 'helloworld'"),
    ],
)
def test_a_broken_plugin_is_set_apart(monkeypatch: pytest.MonkeyPatch, body: str, reason: str) -> None:
    registry = load_connectors([plugin(monkeypatch, "broken_plugin", body), HELLOWORLD])
    assert list(registry) == ["helloworld"]
    assert [(broken.name, broken.package) for broken in registry.broken] == [("other", "broken_plugin")]
    assert reason in registry.broken[0].reason
    with pytest.raises(NotFound) as refusal:
        registry.connector("other")
    assert refusal.value.code == "broken-connector"
    assert reason in str(refusal.value.facts["reason"])


def test_a_plugin_that_cannot_be_imported_is_set_apart() -> None:
    absent = EntryPoint(name="other", value="no.such.module", group=ENTRY_POINTS)
    registry = load_connectors([absent, HELLOWORLD])
    assert "ModuleNotFoundError" in registry.broken[0].reason
    assert list(registry) == ["helloworld"]


def test_a_package_without_the_hook_is_set_apart() -> None:
    hookless = EntryPoint(name="other", value="connectors", group=ENTRY_POINTS)
    assert "must implement the hook" in load_connectors([hookless]).broken[0].reason


def test_installed_packages_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "greetings-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: greetings\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\nmorning = greetings_plugin\n")
    (tmp_path / "greetings_plugin.py").write_text(
        "from dataclasses import replace\n"
        "from connectors.helloworld.connector import CONNECTOR\n"
        "from hub.sdk.hooks import hookimpl\n"
        "@hookimpl\n"
        "def concord_connector():\n"
        "    return replace(CONNECTOR, name='morning')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    connector: Connector = load_connectors().connector("morning")
    assert connector.title == CONNECTOR.title


def test_a_registry_can_be_made_of_connectors() -> None:
    assert Registry([CONNECTOR]).connector("helloworld") is CONNECTOR
