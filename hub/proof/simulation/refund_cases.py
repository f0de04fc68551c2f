"""Refunds that are taken back in two ways: they fail at Stripe, and a person has them taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from hub.proof.credit_books import NoteDue
from hub.proof.scenario import Scenario
from hub.proof.simulation.case import Case, Stage


def taken_back_twice(scenario: Scenario, refunded: Callable[[Stage], Awaitable[None]]) -> tuple[Case, ...]:
    """Give one case for each order; `refunded` lets the scenario's invoice be paid and given back.

    The refund is changed in between, so that more than one run knows that it was posted.
    """

    async def prepare(stage: Stage) -> None:
        await refunded(stage)
        await stage.rested()
        await stage.stripe("/v1/refunds/{refund}", "metadata[why]=kindness")

    first = Case(
        flows=("refund-to-erp",),
        story="that is taken back, and fails",
        scenario=scenario,
        prepare=prepare,
        happen=_ordered_back_and_failed,
        note=NoteDue(unrefunded=True),
        taken_back="refunds",
        untied="refund",
    )
    return first, replace(first, story="that has failed, and is taken back", happen=_failed_and_ordered_back)


async def _fail(stage: Stage) -> None:
    await stage.seed("stripe", {"failed_refunds": [{"refund": "{refund}"}]})


async def _ordered_back_and_failed(stage: Stage) -> None:
    await stage.take_back()
    await stage.rested()
    await _fail(stage)


async def _failed_and_ordered_back(stage: Stage) -> None:
    await _fail(stage)
    await stage.rested()
    await stage.take_back()
