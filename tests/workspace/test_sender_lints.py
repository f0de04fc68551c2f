"""The key `senders` of environments: who may send what, what makes no sense, and the flows that such events start."""

from __future__ import annotations

import pytest

from hub.policy.kinds import DRIFT
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.source.lint import Lint, Severity
from tests.engine.vendor import connector
from tests.intake.sending import ENVIRONMENT, FILES, FLOW, OTHER_TOKEN, TOKEN, digest

FILE = "environments/test.yaml"


def compiled(environment: str = ENVIRONMENT, flow: str = FLOW) -> tuple[Bundle | None, list[Lint]]:
    files = {name.replace("__", "/"): text for name, text in FILES.items()}
    files |= {"flows/tested.yaml": flow, FILE: environment}
    files["connections/vendor.yaml"] = "connection: vendor\nconnector: vendor\n"
    return compile_bundle({path: text.encode() for path, text in files.items()}, catalogue_of([connector]))


def test_what_a_sender_may_is_what_the_file_says() -> None:
    bundle, lints = compiled()
    assert bundle is not None, [str(lint) for lint in lints]
    assert lints == []
    usage = bundle.environments["test"].senders["usage"]
    assert usage.tokens == {"meter": digest(TOKEN).removeprefix("sha256:")}
    assert ("usage.recorded" in usage.types, "usage.record" in usage.types, "order.placed" in usage.types) == (
        True,
        False,
        True,
    )
    assert ("https://meter.example.com/eu" in usage.sources, "/meters/1" in usage.sources) == (True, False)
    assert usage.schemas == {"session.ended": "session.ended@1"}
    policy = bundle.guard(DRIFT.name, connection="usage", environment="test")
    assert policy is not None
    assert policy.name == "strict"
    assert bundle.guard(DRIFT.name, connection="other", environment="test") is None
    assert digest(TOKEN)[7:] not in repr(usage)


@pytest.mark.parametrize(
    ("said", "instead", "code"),
    [
        (digest(TOKEN), TOKEN, "bad-value"),
        (digest(TOKEN), "sha256:" + "A" * 64, "bad-value"),
        (digest(OTHER_TOKEN), digest(TOKEN), "repeated-token"),
        (f"{{ meter: {digest(TOKEN)} }}", "{}", "no-token"),
        (f"    tokens: {{ meter: {digest(TOKEN)} }}\n", "", "missing-key"),
        ("  other:", "  vendor:", "repeated-name"),
        ("  other:", "  concord:", "repeated-name"),
        ("session.ended@1", "session.ended@2", "unknown-schema"),
        ("{ session.ended:", "{ invoice.paid:", "unknown-type"),
        ("drift: strict", "drift: lenient", "unknown-policy"),
        ('sources: ["*"]', "sources: []", "list-length"),
        ('types: ["*"]', 'types: ["a b"]', "bad-value"),
        ('types: ["*"]', 'types: ["*.placed"]', "bad-value"),
        ('sources: ["*"]', 'sources: ["*"]\n    scopes: []', "unknown-key"),
    ],
)
def test_what_makes_no_sense_is_told_in_its_place(said: str, instead: str, code: str) -> None:
    assert said in ENVIRONMENT
    bundle, lints = compiled(ENVIRONMENT.replace(said, instead))
    assert bundle is None
    assert code in {lint.code for lint in lints}, [str(lint) for lint in lints]
    assert all(lint.path == FILE and lint.hint for lint in lints if lint.severity is Severity.ERROR)


def test_a_flow_that_no_sender_can_start_is_told_of() -> None:
    _, lints = compiled(
        ENVIRONMENT.replace('types: ["*"]', "types: [usage.recorded]"), FLOW.replace("order.placed", "x.y")
    )
    assert [(lint.code, lint.severity) for lint in lints] == [("event-not-sent", Severity.WARNING)]


def test_a_sender_cannot_start_what_a_vendor_starts() -> None:
    """Whatever types it may send: all of them begin with `sent.`."""
    bundle, _ = compiled(flow=FLOW.replace("sent.order.placed", "vendor.thing.made"))
    assert bundle is not None
    assert "vendor.thing.made" in bundle.environments["test"].senders["other"].types
    assert bundle.flows_for("vendor.thing.made") != ()
    assert bundle.flows_for("sent.vendor.thing.made") == ()
