"""Vendors that show a secret and sign nothing are certified as what they are."""

from __future__ import annotations

from dataclasses import replace

from connectors.helloworld.connector import CONNECTOR
from connectors.helloworld.samples import SAMPLES
from hub.proof.certification.catalogue import Side
from hub.proof.certification.certify import State, faults_of, subjects_of, try_subject

#: What only a signature over body and time could refuse, and what a secret alone refuses.
OF_SIGNATURES = ("hook-stale", "hook-from-the-future", "hook-reformatted", "hook-cut")
OF_SECRETS = ("hook-badly-signed", "hook-unsigned")


async def test_a_body_or_a_time_cannot_be_held_against_who_signs_nothing() -> None:
    """Its other mistakes still strike."""
    assert SAMPLES.signer is not None
    shown = replace(SAMPLES, signer=replace(SAMPLES.signer, vouches=False))
    subject = next(one for one in subjects_of(CONNECTOR, shown) if one.side is Side.WEBHOOK)
    chosen = faults_of(Side.WEBHOOK, [*OF_SIGNATURES, *OF_SECRETS])
    trials = {trial.fault: trial.state for trial in await try_subject(CONNECTOR, shown, subject, chosen)}
    assert {trials[name] for name in OF_SIGNATURES} == {State.NOT_STRUCK}
    assert {trials[name] for name in OF_SECRETS} == {State.HOLDS}
