"""Mistakes in copies of the shipped connectors' own source: certification catches each of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from hub.connections.registry import load_connectors
from hub.proof.certification.certify import NOTHING, State, faults_of, subjects_of, try_subject
from hub.sdk.hooks import ENTRY_POINTS
from tests.proof.copies import Edit, copy, loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """A mistake, what of the connector it concerns, the fault that shows it, and words of what is told then."""

    connector: str
    edit: Edit
    name: str
    fault: str
    words: str


def seeded(connector: str, path: str, old: str, new: str, *, name: str, fault: str, words: str) -> Seeded:
    return Seeded(connector=connector, edit=Edit(path=path, old=old, new=new), name=name, fault=fault, words=words)


MISTAKES: dict[str, Seeded] = {
    "Stripe gets no idempotency key": seeded(
        "stripe",
        "client.py",
        '"idempotency-key": key',
        '"x-key": key',
        name="payment_intent.create",
        fault="timeout-after-commit",
        words="duplicate: the books have it 2 times",
    ),
    "Stripe's 500 is taken for a refusal": seeded(
        "stripe",
        "failures.py",
        "return OutcomeUnknown(message, **facts)",
        "return FixData(message, **facts)",
        name="customer.create",
        fault="error-500-after-commit",
        words="a person is needed",
    ),
    "Stripe's answer about another object is believed": seeded(
        "stripe",
        "writing.py",
        'about=lambda request, output: bool(identifier(request) == output["id"]),\n        find=None if holds',
        "about=lambda request, output: True,\n        find=None if holds",
        name="customer.update",
        fault="foreign-answer",
        words="wrong outcome",
    ),
    "Stripe's limit is taken for bad data": seeded(
        "stripe",
        "failures.py",
        "if status == 429:",
        "if status == 430:",
        name="invoice.read",
        fault="limit-silent",
        words="a person is needed",
    ),
    "Stripe's signatures are not looked at": seeded(
        "stripe",
        "webhook.py",
        "if not any(held):",
        "if not held:",
        name="customer_updated.json",
        fault="hook-badly-signed",
        words="it was not refused",
    ),
    "Stripe's webhooks from the future are trusted": seeded(
        "stripe",
        "webhook.py",
        "if abs(now - datetime",
        "if (now - datetime",
        name="customer_updated.json",
        fault="hook-from-the-future",
        words="it was not refused",
    ),
    "Stripe's events are named by what they say": seeded(
        "stripe",
        "webhook.py",
        "external_id=identifier,",
        'external_id=f"{identifier}{value}",',
        name="customer_updated.json",
        fault="hook-contradicted",
        words="no field of the delivery changes",
    ),
    "NetSuite's further document has no mark": seeded(
        "netsuite",
        "upserts.py",
        '{**body, "memo": memo(key)}',
        "{**body}",
        name="invoice.reverse",
        fault="timeout-after-commit",
        words="duplicate",
    ),
    "NetSuite's look finds nothing": seeded(
        "netsuite",
        "answers.py",
        'return {"id": found[0]["id"]} if found else None',
        "return None",
        name="invoice.reverse",
        fault="reset-after-commit",
        words="duplicate",
    ),
    "NetSuite's error under a success is read as the record": seeded(
        "netsuite",
        "answers.py",
        'if not isinstance(record.get("id"), str):',
        "if not record:",
        name="customer.read",
        fault="error-inside",
        words="something else was read",
    ),
    "NetSuite's lines are appended by a repeated write": seeded(
        "netsuite",
        "upserts.py",
        'query = {"replace": replaced} if replaced else None',
        "query = None",
        name="journal_entry.upsert",
        fault="sent-twice",
        words="lost",
    ),
    "NetSuite's refused credentials are taken for bad data": seeded(
        "netsuite",
        "failures.py",
        "if status in (401, 403) or",
        "if status in (403,) or",
        name="customer.read",
        fault="credential-revoked",
        words="not paused",
    ),
    "NetSuite's record of another customer is read": seeded(
        "netsuite",
        "client.py",
        "key = read_key(wanted)\n    if key.",
        "return True\n    key = read_key(wanted)\n    if key.",
        name="customer.read",
        fault="foreign-answer",
        words="something else was read",
    ),
    "AvaTax's commit does not carry the key": seeded(
        "avatax",
        "models.py",
        ', "referenceCode": reference}',
        "}",
        name="tax.commit",
        fault="timeout-after-commit",
        words="a person is needed",
    ),
    "AvaTax's document of another code is believed": seeded(
        "avatax",
        "operations.py",
        'return bool(body.get("code", ',
        'return True or bool(body.get("code", ',
        name="tax.commit",
        fault="foreign-answer",
        words="wrong outcome",
    ),
    "The tables' engine forgets its keys": seeded(
        "taxtable",
        "documents.py",
        'shelf.put(f"effect:{key}"',
        'shelf.put(f"forgotten:{key}"',
        name="tax.commit",
        fault="reset-after-commit",
        words="counts as not done",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_in_a_copy_is_caught(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = MISTAKES[mistake]
    monkeypatch.syspath_prepend(str(tmp_path))
    connector, samples = loaded(copy(made.connector, tmp_path, made.edit))
    subject = next(one for one in subjects_of(connector, samples) if one.name == made.name)
    trials = await try_subject(connector, samples, subject, faults_of(subject.side, [made.fault]))
    assert [trial.fault for trial in trials] == [NOTHING, made.fault], "it fails even where nothing goes wrong"
    assert trials[1].state is State.BROKEN, trials[1]
    assert made.words in "; ".join(trials[1].told), trials[1].told


@pytest.mark.parametrize("name", ["stripe", "netsuite", "avatax", "taxtable"])
async def test_a_copy_without_a_mistake_holds(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    connector, samples = loaded(copy(name, tmp_path))
    concerned = {(made.name, made.fault) for made in MISTAKES.values() if made.connector == name}
    for subject in subjects_of(connector, samples):
        faults = faults_of(subject.side, [fault for of, fault in concerned if of == subject.name] or ["nothing else"])
        if faults:
            trials = await try_subject(connector, samples, subject, faults)
            assert {trial.state for trial in trials} == {State.HOLDS}, trials


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("        idempotency=Idempotency.UPSERT,\n", "", "missing 1 required keyword-only argument: 'idempotency'"),
        ("idempotency=Idempotency.UPSERT", "idempotency=None", "how a repeat is told from a new write"),
        ("idempotency=Idempotency.UPSERT", "idempotency='upsert'", "how a repeat is told from a new write"),
    ],
)
def test_a_write_without_a_kind_is_not_registered(
    old: str, new: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = copy("netsuite", tmp_path, Edit(path="upserts.py", old=old, new=new))
    registry = load_connectors([EntryPoint(name="netsuite", value=package, group=ENTRY_POINTS)])
    assert not registry
    (broken,) = registry.broken
    assert broken.name == "netsuite"
    assert words in broken.reason
