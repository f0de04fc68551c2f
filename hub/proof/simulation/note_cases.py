"""Credit notes that Stripe voids, and that a person has taken back: whoever comes first, both are the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from hub.proof.credit_books import NoteDue
from hub.proof.scenario import Scenario
from hub.proof.simulation.case import Case, Stage, Tied


def voided(scenario: Scenario, credited: Callable[[Stage], Awaitable[None]]) -> tuple[Case, ...]:
    """Give the cases of a note that is voided; `credited` lets the scenario's invoice be finalised and given back."""

    async def filed(stage: Stage) -> None:
        await credited(stage)
        await stage.rested()
        await stage.seed("tax", {"lock": ["{note_number}"]})

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
