"""What happens in cases of the crash sweep, whichever ERP has the books."""

from __future__ import annotations

from hub.proof.simulation.case import Stage


async def invoiced(stage: Stage) -> None:
    """An invoice is finalised."""
    await stage.invoice(paid=False)


async def paid(stage: Stage) -> None:
    """An invoice is finalised and paid."""
    await stage.invoice(paid=True)


async def day_later(stage: Stage) -> None:
    """The day after comes."""
    await stage.day_later()


async def paid_out(stage: Stage) -> None:
    """Stripe pays out."""
    await stage.pay_out(travels=2)


async def returned(stage: Stage) -> None:
    """Stripe pays out, and a bank sends it back."""
    await stage.pay_out(travels=120, returned=True)


async def paid_out_by_hand(stage: Stage) -> None:
    """A person pays out at Stripe."""
    await stage.stripe("/v1/payouts", "amount=700&currency=eur")


async def deleted(stage: Stage) -> None:
    """The customer is deleted at Stripe."""
    await stage.stripe("/v1/customers/{customer}", method="DELETE")


async def taken_back(stage: Stage) -> None:
    """An invoice is finalised, and a person orders its run taken back."""
    await stage.invoice(paid=False)
    await stage.take_back()


async def ordered_back(stage: Stage) -> None:
    """A person orders the run taken back."""
    await stage.take_back()


async def paid_and_paid_out(stage: Stage) -> None:
    """An invoice is paid, and Stripe pays out."""
    await stage.invoice(paid=True)
    await paid_out(stage)


async def paid_and_returned(stage: Stage) -> None:
    """An invoice is paid and paid out, and a bank sends it back."""
    await stage.invoice(paid=True)
    await stage.rested()
    await returned(stage)


async def paid_and_paid_out_by_hand(stage: Stage) -> None:
    """An invoice is paid, and a person pays out."""
    await stage.invoice(paid=True)
    await stage.rested()
    await paid_out_by_hand(stage)
