"""The connectors that ship are certified as the documents say, and what certification once found does not come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.connections.registry import load_connectors
from hub.proof.certification.certify import NOTHING, State, faults_of, samples_of, subjects_of, try_subject
from hub.queries.connectors import ConnectorView, connector_views
from hub.sdk.testing.manifests import QUALITY

ROOT = Path(__file__).parents[2]
SHIPPED = ("avatax", "helloworld", "netsuite", "s4hana", "salesforce", "stripe", "taxtable")
VIEWS = [view for view in connector_views(load_connectors().values()) if view.name in SHIPPED]

#: What was broken once: connector, what was tried, the fault, and how it must end.
FOUND = [
    ("avatax", "address.resolve", "error-inside", State.HOLDS),
    ("avatax", "tax.adjust", "reset-after-commit", State.HOLDS),
    ("avatax", "tax.adjust", "look-login-page", State.HOLDS),
    ("avatax", "tax.quote", "foreign-answer", State.HOLDS),
    ("netsuite", "restlet.call", "error-inside", State.EXEMPT),
    ("netsuite", "subsidiary.list", "truncated-body", State.HOLDS),
    ("taxtable", "address.resolve", "error-inside", State.HOLDS),
    ("taxtable", "tax.quote", "error-inside", State.HOLDS),
    ("taxtable", "tax.quote", "foreign-answer", State.HOLDS),
    ("taxtable", "tax.read", "error-inside", State.HOLDS),
    ("taxtable", "tax.void", "foreign-answer", State.HOLDS),
]


@pytest.mark.parametrize(("name", "subject", "fault", "state"), FOUND, ids=[" ".join(row[:3]) for row in FOUND])
async def test_what_was_found_once_holds(name: str, subject: str, fault: str, state: State) -> None:
    connector = load_connectors().connector(name)
    samples = samples_of(connector)
    tried = next(one for one in subjects_of(connector, samples) if one.name == subject)
    trials = await try_subject(connector, samples, tried, faults_of(tried.side, [fault]))
    assert {trial.fault: trial.state for trial in trials} == {NOTHING: State.HOLDS, fault: state}, trials


def row_of(view: ConnectorView) -> str:
    """Give a connector's line of the table in the documents."""
    found = view.certification
    assert found is not None, f"{view.name} was never certified: concord connectors certify {view.name} --write"
    exempt = [f"`{name}` under `{fault}`" for name, reasons in found.exempt.items() for fault in reasons]
    cells = (f"`{view.name}`", found.tried, found.faults, found.trials, ", ".join(exempt) or "nothing", found.on)
    return f"| {' | '.join(map(str, cells))} |"


def test_every_shipped_connector_is_certified_as_the_documents_say() -> None:
    text = (ROOT / "docs" / "certification.md").read_text("utf-8")
    table = text.partition("## What is certified\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert [view.name for view in VIEWS] == [*SHIPPED]
    assert rows == [row_of(view) for view in VIEWS]


def test_the_documents_show_the_quality_list() -> None:
    text = (ROOT / "docs" / "certification.md").read_text("utf-8")
    rules, exempt = text.partition("## The quality list\n")[2].partition("\n## ")[0].split("Everything is `done`")
    assert [line.split("`")[1] for line in rules.splitlines() if line.startswith("| `")] == [*QUALITY]
    rows = [line for line in exempt.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{view.name}` | `{rule}` | {reason} |" for view in VIEWS for rule, reason in view.quality.items() if reason
    ]


@pytest.mark.parametrize("view", VIEWS, ids=SHIPPED)
def test_a_connectors_readme_tells_what_is_exempt(view: ConnectorView) -> None:
    readme = (ROOT / "connectors" / view.name / "README.md").read_text("utf-8")
    told = readme.partition("## Certification\n")[2].partition("\n## ")[0]
    assert f"`concord connectors certify {view.name}`" in told
    assert view.certification is not None
    exempt = [(name, fault) for name, reasons in view.certification.exempt.items() for fault in reasons]
    assert all(f"`{name}`" in told and f"`{fault}`" in told for name, fault in exempt)
    assert ("Nothing is exempt." in told) is not bool(exempt)
