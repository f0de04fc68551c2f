"""Credit notes that Stripe voids, taken back by a person or paid besides: whoever comes first, it is the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from hub.proof.credit_books import NoteDue
from hub.proof.scenario import Scenario
from hub.proof.simulation.case import Case, Stage, Tied
from hub.proof.simulation.happenings import invoiced, ordered_back


def voided(scenario: Scenario, credited: Callable[[Stage], Awaitable[None]]) -> tuple[Case, ...]:
    """Give the cases of a note that is voided; `credited` lets the scenario's invoice be finalised and given back."""

    async def filed(stage: Stage) -> None:
        await credited(stage)
        await stage.rested()
        await stage.seed("tax", {"lock": ["{note_number}"]})

    async def paid(stage: Stage) -> None:
        await credited(stage)
        await stage.rested()
        await _voided_and_paid(stage)

    taken_back = Case(
        flows=("credit-note-to-erp",),
        story="that is taken back, and voided",
        scenario=scenario,
        prepare=credited,
        happen=_ordered_back_and_voided,
        note=NoteDue(undone=True),
        untied="credit_memo",
    )
    return (
        Case(
            flows=("credit-note-to-erp",),
            story="that is voided, whose tax is filed",
            scenario=scenario,
            prepare=filed,
            happen=_void,
        ),
        Case(
            flows=("credit-note-to-erp", "invoice-to-erp"),
            story="that is voided before its invoice is posted",
            scenario=scenario,
            happen=_all_at_once_and_tied,
            tied=Tied.NOBODY,
        ),
        taken_back,
        replace(taken_back, story="that is voided, and taken back", happen=_voided_and_ordered_back),
        Case(
            flows=("payment-to-erp", "credit-note-to-erp"),
            story="of what was given back and voided before",
            scenario=scenario,
            prepare=invoiced,
            happen=_credited_voided_and_paid,
        ),
        Case(
            flows=("payment-to-erp", "credit-note-to-erp"),
            story="of what was voided before",
            scenario=scenario,
            prepare=credited,
            happen=_voided_and_paid,
        ),
        Case(
            flows=("payment-to-erp",),
            story="of what was voided before, that is taken back",
            scenario=scenario,
            prepare=paid,
            happen=ordered_back,
            taken_back="payments",
            untied="payment",
        ),
    )


async def _void(stage: Stage) -> None:
    await stage.stripe("/v1/credit_notes/{note}/void")


async def _all_at_once_and_tied(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.credit()
    await _void(stage)
    await stage.tie()


async def _ordered_back_and_voided(stage: Stage) -> None:
    await stage.take_back()
    await stage.rested()
    await _void(stage)


async def _voided_and_ordered_back(stage: Stage) -> None:
    await _void(stage)
    await stage.rested()
    await stage.take_back()


async def _credited_voided_and_paid(stage: Stage) -> None:
    await stage.deliver(webhook_lost=r"credit_note\.")
    await stage.credit()
    await _voided_and_paid(stage)


async def _voided_and_paid(stage: Stage) -> None:
    """Nobody hears that the note is void before its invoice's payment waits for what comes of it."""
    await stage.deliver(webhook_lost=r"credit_note\.")
    await _void(stage)
    await stage.stripe("/v1/invoices/{invoice}/pay", "payment_method=pm_card_visa")
    await stage.rested()
    await stage.read()
