"""What would fool a hub that believes too much: late answers, two finds, forgotten keys, and a crash amid many."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.engine import outcomes
from hub.errors import Fatal, OutcomeParked
from hub.model.ambient import to_micros
from hub.model.effect import EffectState, Idempotency
from hub.model.exchange import Request, Response
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.store import runs
from hub.store.committer import Work
from hub.store.tables import attempts, audit, effects
from tests.engine.house import FastClock, House, bundle_for
from tests.engine.target import PATIENCE, Target, connector
from tests.engine.test_every_answer import finished, kept, living, scripted
from tests.engine.test_many import RESOLVED, bulk_documents, event, flow, lines, told
from tests.engine.test_once import FILES, ONE_WRITE, Dying, exceptions, things
from tests.engine.test_once import one_write as in_memory
from tests.engine.vendor import Vendor

HASTY = "policy: patient\nkind: retry\nattempts: 1\n"


class Late(Vendor):
    """Does the first write at once, and answers only when it is let."""

    def __init__(self) -> None:
        """Nobody lets it yet."""
        super().__init__()
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve one request."""
        response = await Vendor.send(self, request, headers, timeout)
        if not self.asked.is_set():
            self.asked.set()
            await self.let.wait()
        return response


@pytest.mark.parametrize("kind", list(Idempotency))
async def test_an_answer_to_a_worker_that_has_lost_its_run_is_recorded_by_nobody(
    tmp_path: Path, kind: Idempotency
) -> None:
    """The next one has found the write out, or a person has settled it; what comes late changes nothing of that."""
    vendor = Late()
    house = House(tmp_path, vendor, in_memory(kind))
    await house.start()
    await house.give(*things(1))
    await vendor.asked.wait()
    # Another process has taken the run.
    await house.committer.commit(Work(lambda tx: runs.recover(tx, environment="test", actor="worker_test")))
    while True:
        (effect,) = kept(house, effects)
        if effect.state in (EffectState.DONE, EffectState.PARKED):
            break
        await asyncio.sleep(0.005)
    if kind is Idempotency.UNSAFE:
        while not exceptions(house):
            await asyncio.sleep(0.005)
        await house.effect_orders.settle(
            effect.key, done=True, evidence="in its list", output={"id": "seen"}, actor="person:p_1"
        )
        (effect,) = kept(house, effects)
    tried = kept(house, attempts)
    vendor.let.set()
    assert await house.settled() == {"succeeded": 1}
    (after,) = kept(house, effects)
    assert (after, kept(house, attempts)) == (effect, tried)
    assert len(vendor.documents) == 1
    await house.stop()


def test_a_key_that_carried_something_else_does_not_say_that_nothing_was_done() -> None:
    """A target refuses a key that went out with other content: so something has been done under it."""
    assert outcomes.state_after(OutcomeParked(), 400, first=False) is EffectState.UNKNOWN
    assert outcomes.state_after(OutcomeParked(), 400, first=True) is EffectState.UNKNOWN


@pytest.mark.parametrize(("minutes", "forgotten"), [(24 * 60 - 6, False), (24 * 60 - 4, True)])
def test_a_key_is_not_sent_again_shortly_before_the_target_may_forget_it(minutes: int, *, forgotten: bool) -> None:
    """What is on its way could arrive after that, as a new write."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    row = {"created_at": to_micros(began)}
    assert outcomes.is_forgotten(row, 86_400.0, began + timedelta(minutes=minutes)) == forgotten


async def test_a_mark_that_is_found_twice_stops_for_a_person(tmp_path: Path) -> None:
    """Two documents carry the mark of one write: nothing more is sent, and no flow goes on past that."""

    def plan(key: str, number: int) -> str | None:
        target.documents.append({"id": "doc_0", "kind": "probe", "key": key, "mark": mark(), "value": "0"})
        return "after:reset"

    def mark() -> str:
        (effect,) = kept(house, effects)
        return str(effect.key)

    target = Target(plan=plan)
    text = ONE_WRITE.replace("    retry: patient", "    retry: patient\n    on_failure: continue")
    careless = bundle_for(connector, text.format(kind="probe"), **FILES)
    async with target.serving(), living(tmp_path, target, careless) as house:
        await house.give(*things(1))
        assert await finished(house) == {"parked": 1}
        assert [case.reason for case in exceptions(house)] == ["found-twice"]
        (effect,) = kept(house, effects)
        assert effect.state == EffectState.UNKNOWN
        (case,) = exceptions(house)
        await house.run_orders.replay_case(case.id, actor="person:p_1")
        assert await finished(house) == {"parked": 1}
    assert target.seen["t0"] == 1


@pytest.mark.parametrize("fault", ["before:reset", "after:reset"])
async def test_a_key_of_many_items_that_may_be_forgotten_is_not_sent_again(tmp_path: Path, fault: str) -> None:
    """The target would take the repeat for new writes, all of them at once."""
    clock = FastClock()
    target = Target(plan=scripted({"bulk": [fault]}))
    compiled = flow("native.bulk", **{"policies__patient.yaml": HASTY})
    async with target.serving(), living(tmp_path, target, compiled, clock=clock) as house:
        await house.give(event(lines(3)))
        assert await finished(house) == {"parked": 1}
        clock.leap(timedelta(days=2))
        (case,) = exceptions(house)
        await house.run_orders.replay_case(case.id, actor="person:p_1")
        assert await finished(house) == {"parked": 1}
        assert {effect.state for effect in kept(house, effects)} == {EffectState.PARKED}
    assert target.requests == [3]


async def test_a_limit_on_the_repeat_of_many_items_does_not_say_that_the_first_did_nothing(tmp_path: Path) -> None:
    """The same state is to be written once more, and that request is turned away: the items stay unknown."""
    target = Target(plan=scripted({"bulk": ["after:reset", "before:429"]}))
    async with target.serving(), living(tmp_path, target, flow("upsert.bulk")) as house:
        await house.give(event(lines(3)))
        assert await finished(house) == {"succeeded": 1}
        kinds = [entry.kind for entry in kept(house, audit)]
    assert target.requests == [3, 3, 3]
    assert "effect.failed" not in kinds
    assert bulk_documents(target) == ["l0", "l1", "l2"]


@pytest.mark.parametrize("kind", RESOLVED)
@pytest.mark.parametrize("point", range(1, 9))
async def test_a_crash_at_every_durable_point_of_many_items(tmp_path: Path, kind: Idempotency, point: int) -> None:
    """Between intents and answer, too: each item is there once, and the whole is told right."""
    target = Target(plan=scripted({"bulk": ["after:reset"]}))
    items = lines(3)
    async with target.serving():
        transport = Transport(private_hosts=["127.0.0.1"])
        at = Settings(base_url=target.url, timeout=PATIENCE)
        house = House(
            tmp_path, transport, flow(f"{kind.value}.bulk"), connector=connector, settings=at, committer=Dying
        )
        assert isinstance(house.committer, Dying)
        house.committer.left = point
        try:
            async with asyncio.timeout(0.3):
                await house.start()
                await house.give(event(items))
                await house.settled()
        except (Fatal, TimeoutError):
            pass
        await house.crash()
        await transport.close()
        async with living(tmp_path, target, flow(f"{kind.value}.bulk")) as house:
            await house.give(event(items))
            assert await finished(house) == {"succeeded": 1}
    assert bulk_documents(target) == ["l0", "l1", "l2"]
    assert told(target) == ["3:3:0"]
