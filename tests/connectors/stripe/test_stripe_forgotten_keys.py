"""A write whose answer was lost and whose key Stripe has forgotten since is found, and made if it was not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.samples import SAMPLES
from hub.model.effect import EffectState
from hub.model.event import InboundEvent, Via
from hub.operate.runs import RunOrders
from hub.proof.certification import calls, flows
from hub.proof.certification.catalogue import Where
from hub.proof.certification.flows import CONNECTION, event_type, of_call
from hub.proof.certification.stand import ENVIRONMENT, PATIENCE, Stand, stand
from hub.sdk.connector import WriteOperation
from hub.sdk.testing.samples import WriteSample
from hub.store.tables import cases, effects, runs
from hub.workspace.bundle import Bundle

#: What stays for a person, and why.
LEFT = {
    # Nothing at Stripe counts the changes of a customer or a product; another may have changed the same fields since.
    "customer.update",
    "product.update",
    # Single events are not given back; the key is good for thirty days.
    "meter_event.create",
    # For a day the identifiers of what was sent tell it apart.
    "meter_event.report",
    "meter_event.stream",
}
#: A repeat makes nothing twice, and tells that the first came through; the id is only in Stripe's tax reports.
BY_REFERENCE = {"tax.commit", "tax.adjust", "tax_transaction.create", "tax_transaction.reverse"}
WRITES = {sample.operation: sample for sample in SAMPLES.writes}


def write(name: str) -> WriteOperation:
    operation = CONNECTOR.operation(name)
    assert isinstance(operation, WriteOperation)
    return operation


def test_nothing_else_is_left_to_a_person() -> None:
    """Every write is found by a look, or makes nothing twice however late it is repeated."""
    century = timedelta(days=36_500).total_seconds()
    left = {name for name in WRITES if not write(name).is_found and write(name).remembers < century}
    assert left == LEFT


def ended(hub: Stand) -> list[str]:
    """Give the states of the runs."""
    with hub.database.reading() as reading:
        return list(reading.execute(select(runs.c.state)).scalars())


async def lose(hub: Stand, bundle: Bundle, sample: WriteSample, *, done: bool) -> None:
    """Let a call be made of which no answer comes, until the run gives it up; two days later a person replays it."""
    await calls._prepare(hub, sample)
    operation = write(sample.operation)
    place = calls._places(hub, operation, sample)[Where.CALL]
    kind = "reset_after_commit" if done else "reset_before"
    hub.sandbox.world.faults.replace([{"kind": kind, "times": 1, "match": dict(place)}])
    event = InboundEvent(
        external_id="trial",
        type=event_type(CONNECTOR),
        occurred_at=hub.ambient.now(),
        data={"id": "trial", "input": dict(sample.input)},
    )
    await hub.intake.accept(CONNECTION, [event], Via.API)
    await hub.until(lambda: calls._has_ended(hub))
    assert sample.documents(hub.books()) == (1 if done else 0)
    hub.sandbox.world.faults.replace([])
    hub.clock.leap(2 * 86_400)

    async def shelf(_bundle_id: str) -> Bundle:
        return bundle

    orders = RunOrders(
        environment=ENVIRONMENT,
        ambient=hub.ambient,
        database=hub.database,
        committer=hub.committer,
        current=lambda: bundle,
        bundle=shelf,
    )
    with hub.database.reading() as reading:
        case = reading.execute(select(cases.c.id).where(cases.c.state == "open")).scalar_one()
    await orders.replay_case(case, actor="person:p_1")
    await hub.until(lambda: len(ended(hub)) == 2 and set(ended(hub)) <= {"succeeded", "parked"})


@pytest.mark.parametrize("name", ["meter_event.report", "meter_event.stream"])
async def test_usage_is_not_sent_again_once_its_identifiers_may_be_forgotten(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "_RETRY", "policy: patient\nkind: retry\nattempts: 1\n")
    sample = WRITES[name]
    bundle = of_call(CONNECTOR, SAMPLES, write(name), sample.input)
    async with stand(CONNECTOR, SAMPLES, bundle, patience=PATIENCE) as hub:
        await lose(hub, bundle, sample, done=True)
        with hub.database.reading() as reading:
            (effect,) = reading.execute(select(effects.c.state)).all()
        assert (effect.state, ended(hub)) == (EffectState.PARKED, ["parked", "parked"])
        assert sample.documents(hub.books()) == 1


@pytest.mark.parametrize(
    ("name", "done"),
    [
        *((name, True) for name in sorted(set(WRITES) - LEFT)),
        *((name, False) for name in ("invoice.finalize", "refund.create", "tax.adjust", "tax.commit", "tax.void")),
    ],
)
async def test_a_write_is_made_once_although_its_key_is_forgotten(
    name: str, *, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The run gives it up at once, and is replayed by a person.
    monkeypatch.setattr(flows, "_RETRY", "policy: patient\nkind: retry\nattempts: 1\n")
    sample = WRITES[name]
    bundle = of_call(CONNECTOR, SAMPLES, write(name), sample.input)
    async with stand(CONNECTOR, SAMPLES, bundle, patience=PATIENCE) as hub:
        await lose(hub, bundle, sample, done=done)
        with hub.database.reading() as reading:
            (effect,) = reading.execute(select(effects.c.state)).all()
        books = hub.books()
    if name == "tax_calculation.create":
        # It binds nobody, and is made anew.
        assert (effect.state, sample.documents(books)) == (EffectState.DONE, 2 if done else 1)
        return
    assert sample.documents(books) == 1
    assert effect.state == (EffectState.UNKNOWN if done and name in BY_REFERENCE else EffectState.DONE)
