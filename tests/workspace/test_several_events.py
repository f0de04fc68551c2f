"""A flow that several types of events start: each starts it, and what cannot be right is told at its place."""

from __future__ import annotations

import pytest

from hub.queries.step_words import start_of
from hub.workspace.bundle import Bundle
from hub.workspace.compilation import compile_bundle
from hub.workspace.editor_schema import editor_schemas
from hub.workspace.kinds import FileKind
from hub.workspace.source.lint import Lint
from tests.workspace.conftest import CATALOGUE, FILES, encoded

PATH = "flows/post.yaml"
ONE = "on: { event: billing.invoice.finalized }"


def compiled(events: str) -> tuple[Bundle | None, list[Lint]]:
    assert ONE in FILES[PATH]
    files = {**FILES, PATH: FILES[PATH].replace(ONE, f"on: {{ event: {events} }}")}
    return compile_bundle(encoded(files), CATALOGUE)


def test_each_of_them_starts_it() -> None:
    bundle, lints = compiled("[billing.invoice.finalized, billing.invoice.listed]")
    assert bundle is not None, [str(lint) for lint in lints]
    for event in ("billing.invoice.finalized", "billing.invoice.listed"):
        (flow,) = bundle.flows_for(event)
        assert flow.events == ("billing.invoice.finalized", "billing.invoice.listed")
        assert start_of(flow).sentence == ("With one of the events billing.invoice.finalized, billing.invoice.listed")
    assert bundle.flows_for("billing.invoice.paid") == ()


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ("[]", "list-length"),
        ("[billing.invoice.finalized, billing.invoice.finalized]", "repeated-event"),
        ("[billing.invoice.finalized, concord.invoice.posted]", "events-of-several"),
        ("[billing.invoice.finalized, nobody.invoice.paid]", "unknown-connector"),
        ("[billing.invoice.finalized, Paid]", "bad-value"),
        ("{ type: billing.invoice.finalized }", "not-a-value"),
    ],
)
def test_a_mistake_among_them_is_told(events: str, code: str) -> None:
    bundle, lints = compiled(events)
    assert bundle is None
    assert code in {lint.code for lint in lints}, [str(lint) for lint in lints]


def test_editors_take_one_or_a_list() -> None:
    on = editor_schemas()[FileKind.FLOW]["properties"]["on"]["properties"]["event"]
    assert [kind["type"] for kind in on["anyOf"]] == ["string", "array"]
