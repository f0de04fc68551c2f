"""How streams are read, as connection files say it: what cannot be meant is told, and the rest is compiled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.workspace.catalogue import Catalogue, StreamEntry
from hub.workspace.compilation import compile_bundle
from hub.workspace.compiled_files import Poll
from hub.workspace.source.lint import Severity
from tests.workspace.conftest import CATALOGUE

EVENTS = StreamEntry(name="events", title="Events", overlap=timedelta(minutes=2), keeps=timedelta(days=30))
BILLING = replace(CATALOGUE.connectors["billing"], streams={"events": EVENTS})
WITH_STREAMS = Catalogue(connectors={**CATALOGUE.connectors, "billing": BILLING})


def lints(poll: str, connector: str = "billing") -> list[tuple[str, Severity, str]]:
    """Give code, severity and message of each lint of a connection whose `poll` this is."""
    text = f"connection: one\nconnector: {connector}\npoll: {poll}\n"
    _, found = compile_bundle({"connections/one.yaml": text.encode()}, WITH_STREAMS)
    return [(lint.code, lint.severity, f"{lint.message} {lint.hint}") for lint in found]


@pytest.mark.parametrize(
    ("poll", "code", "severity", "told"),
    [
        ("{ evnts: { every: PT5M } }", "unknown-stream", Severity.ERROR, "`events`"),
        ("{ events: { each: PT5M } }", "unknown-key", Severity.ERROR, "`every`"),
        ("{ events: { every: 5 } }", "bad-value", Severity.ERROR, "PT30S"),
        ("{ events: { every: PT0S } }", "too-often", Severity.ERROR, "`PT1S` or more"),
        ("{ events: { every: P30D } }", "longer-than-kept", Severity.ERROR, "for 30 days"),
        ("{ events: { overlap: P31D } }", "longer-than-kept", Severity.ERROR, "for 30 days"),
        ("{ events: { overlap: PT30S } }", "overlap-too-short", Severity.WARNING, "`PT120S` or more"),
        ("{ events: { every: PT1H, dead_man: PT1H } }", "dead-man-too-short", Severity.WARNING, "several times"),
    ],
)
def test_a_poll_that_cannot_be_meant_is_told(poll: str, code: str, severity: Severity, told: str) -> None:
    """With what to write instead."""
    ((found, how, text),) = lints(poll)
    assert (found, how) == (code, severity)
    assert told in text


def test_a_connector_without_streams_has_none_to_read() -> None:
    """Told as such."""
    ((code, _, text),) = lints("{ events: { every: PT5M } }", connector="erp")
    assert code == "unknown-stream"
    assert "It has none" in text


def test_what_a_file_says_is_what_the_hub_gets() -> None:
    """Times by the stream's name; what is left out is None."""
    text = "connection: one\nconnector: billing\npoll: { events: { every: PT5M, overlap: PT10M, dead_man: PT1H } }\n"
    bundle, found = compile_bundle({"connections/one.yaml": text.encode()}, WITH_STREAMS)
    assert found == []
    assert bundle is not None
    whole = Poll(every=timedelta(minutes=5), overlap=timedelta(minutes=10), dead_man=timedelta(hours=1))
    assert bundle.connections["one"].polls == {"events": whole}
