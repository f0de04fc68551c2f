"""The read models over a database with a believable afternoon in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import func, select

from hub.errors import NotFound
from hub.model.ambient import Ambient, of_micros
from hub.model.effect import EffectState
from hub.model.run import RunState
from hub.queries import (
    audit,
    cases,
    connections,
    crossrefs,
    events,
    flows,
    overview,
    runs,
    search,
    timeline,
)
from hub.queries.runs import RunFilter
from hub.queries.view import View
from hub.store import tables
from tests.ui.stage import Stage, stage


@pytest_asyncio.fixture
async def set_up(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, people=False) as made:
        yield made


class _Stopped:
    """A clock that stands still."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


@pytest.fixture
def view(set_up: Stage) -> View:
    return set_up.console.view


async def test_the_overview_counts_what_is_there(view: View) -> None:
    with view.database.reading() as connection:
        newest = connection.execute(select(func.max(tables.events.c.received_at))).scalar_one()
    # The chart looks back half an hour, as far as the stories reach: the clock must not run on while they are told.
    stopped = Ambient(clock=_Stopped(of_micros(newest)), random=view.ambient.random)
    found = overview.read(replace(view, ambient=stopped))

    assert sum(found.totals.values()) == found.events == 64
    assert found.totals[RunState.SUCCEEDED] == sum(minute.succeeded for minute in found.minutes)
    assert found.open_cases == found.totals[RunState.PARKED] == sum(minute.opened for minute in found.minutes)
    assert found.in_doubt == found.effects[EffectState.PARKED] == 1
    assert found.latency.p50 is not None and found.latency.p95 is not None
    assert 0 < found.latency.p50 <= found.latency.p95
    assert found.oldest_open is not None and found.oldest_open.state is RunState.WAITING
    assert [amount.currency for amount in found.at_risk] == sorted(amount.currency for amount in found.at_risk)


def test_percentiles_are_nearest_rank() -> None:
    assert overview.percentile([], 50) is None
    assert overview.percentile([3.0], 95) == 3.0
    assert overview.percentile([float(number) for number in range(1, 101)], 95) == 95.0
    assert overview.percentile([2.0, 1.0], 50) == 1.0


async def test_pages_of_runs_neither_skip_nor_repeat(view: View) -> None:
    seen: list[str] = []
    before = None
    while True:
        page = runs.listing(view, RunFilter(), before=before, limit=7)
        seen.extend(run.id for run in page.runs)
        if page.next is None:
            break
        before = page.next

    assert len(seen) == len(set(seen)) == 64
    assert seen == sorted(seen, reverse=True)


async def test_filters_narrow_the_list(view: View) -> None:
    parked = runs.listing(view, RunFilter(state=RunState.PARKED)).runs
    assert {run.state for run in parked} == {RunState.PARKED}
    one = parked[0]
    assert [run.id for run in runs.listing(view, RunFilter(text=one.business_key[8:20])).runs] == [one.id]
    assert [run.id for run in runs.listing(view, RunFilter(text=one.id)).runs] == [one.id]
    assert [run.id for run in runs.listing(view, RunFilter(key=one.key, flow=one.flow)).runs] == [one.id]
    assert runs.listing(view, RunFilter(text="%")).runs == ()


async def test_another_environment_sees_nothing(set_up: Stage) -> None:
    elsewhere = View(environment="production", database=set_up.database, ambient=set_up.ambient)
    run = runs.listing(set_up.console.view, RunFilter(), limit=1).runs[0]
    case = cases.listing(set_up.console.view).cases[0]

    assert runs.listing(elsewhere, RunFilter()).runs == ()
    assert overview.read(elsewhere).events == 0
    assert search.search(elsewhere, run.id, set_up.bundle) == ()
    with pytest.raises(NotFound):
        timeline.detail(elsewhere, run.id, payloads=True)
    with pytest.raises(NotFound):
        events.detail(elsewhere, run.event_id, payloads=True)
    with pytest.raises(NotFound):
        cases.detail(elsewhere, case.id, set_up.bundle)


async def test_a_run_is_told_whole(view: View) -> None:
    settled = next(run for run in runs.listing(view, RunFilter(state=RunState.SUCCEEDED, flow="invoice-to-erp")).runs)

    found = timeline.detail(view, settled.id, payloads=True)

    post = next(step for step in found.steps if step.path == "booked.post")
    assert post.effect is not None and post.effect.state is EffectState.DONE
    assert post.attempts[-1].outcome == "done"
    assert "hidden" not in post.effect.url and post.effect.url.startswith("https://1234567-sb1.")
    assert next(step for step in found.steps if step.path == "route").rule == "everyone else in NetSuite"
    assert found.replayable and found.replay_from is None
    assert found.chain == (found.run,)


async def test_payloads_are_withheld_from_who_may_not_see_them(view: View) -> None:
    run = runs.listing(view, RunFilter(state=RunState.PARKED), limit=1).runs[0]

    found = timeline.detail(view, run.id, payloads=False)
    event = events.detail(view, run.event_id, payloads=False)

    assert found.withheld and event.withheld and event.data is None
    for step in found.steps:
        assert step.input is None and step.output is None
        assert step.effect is None or step.effect.body is None
        assert step.error is None or not step.error.facts


async def test_a_replay_shows_what_it_reuses_and_its_chain(set_up: Stage, view: View) -> None:
    case = next(case for case in cases.listing(view).cases if case.reason == "posted-differently")

    new_id = await set_up.console.run_orders.replay_case(case.id, actor="local")
    replay = timeline.detail(view, new_id, payloads=True)
    before = timeline.detail(view, case.run_id, payloads=True)

    assert [run.id for run in replay.chain] == [case.run_id, new_id] == [run.id for run in before.chain]
    assert all(step.reused for step in replay.steps) and "booked.post" in {step.path for step in replay.steps}
    effect = next(step.effect for step in replay.steps if step.path == "booked.post")
    assert effect is not None and effect.run_id == case.run_id
    assert not before.replayable and not replay.replayable


async def test_cases_are_grouped_by_what_is_alike(view: View, set_up: Stage) -> None:
    found = cases.groups(view, shown=2)

    assert found[0].reason == "customer-not-mapped" and found[0].count == 4 and len(found[0].cases) == 2
    assert sum(group.count for group in found) == cases.open_count(view)
    assert all(group.unowned == group.count for group in found)
    detail = cases.detail(view, found[0].cases[0].id, set_up.bundle)
    assert detail.alike == 4 and detail.alike_at_risk == found[0].at_risk
    assert detail.runbook is not None and detail.runbook.startswith("#")


async def test_owners_are_called_by_name(tmp_path: Path) -> None:
    async with stage(tmp_path, count=12) as made:
        case = cases.listing(made.console.view).cases[0]
        person = await made.console.directory.person_by_email("olu@example.com")
        assert person is not None
        await made.console.orders.assign_case(case.id, owner=person.id, actor=person.principal().actor)

        assert cases.groups(made.console.view, owner=person.id)[0].cases[0].owner_name == "Olu Adeyemi"
        assert audit.recent(made.console.view, limit=1)[0].actor_name == "Olu Adeyemi"


async def test_everything_has_a_shape_for_json(set_up: Stage, view: View) -> None:
    run = runs.listing(view, RunFilter(state=RunState.PARKED), limit=1).runs[0]
    case = cases.listing(view).cases[0]
    for value in (
        overview.read(view),
        runs.listing(view, RunFilter()),
        timeline.detail(view, run.id, payloads=True),
        events.listing(view, payloads=True),
        events.detail(view, run.event_id, payloads=True),
        cases.listing(view),
        cases.groups(view),
        cases.detail(view, case.id, set_up.bundle),
        flows.listing(view, set_up.bundle),
        flows.detail(view, set_up.bundle, "invoice-to-erp"),
        connections.listing(view, set_up.console.accounts),
        crossrefs.find(view),
        audit.recent(view),
        search.search(view, run.id, set_up.bundle),
    ):
        assert json.loads(msgspec.json.encode(value))


async def test_flows_tell_what_each_step_does(set_up: Stage, view: View) -> None:
    found = flows.detail(view, set_up.bundle, "invoice-to-erp")

    steps = {step.id: step for step in found.steps}
    assert steps["route"].sentence == "Ask the policy erp-routing."
    assert steps["customer"].open_cases == 4
    assert (
        found.flow.open_cases
        == sum(step.open_cases for step in flows.every_plan(found.steps))
        == cases.open_count(view)
    )
    with pytest.raises(NotFound):
        flows.detail(view, set_up.bundle, "nothing")


async def test_connections_tell_how_they_do(set_up: Stage, view: View) -> None:
    await set_up.console.orders.set_connection("netsuite", active=False, reason="certificate expired", actor="local")

    found = {each.name: each for each in connections.listing(view, set_up.console.accounts)}

    assert found["netsuite"].standing is connections.Standing.PAUSED
    assert found["netsuite"].paused == "certificate expired" and found["netsuite"].paused_since is not None
    assert found["stripe"].standing is connections.Standing.HEALTHY and found["stripe"].webhook == "/hooks/stripe"
    assert found["tax"].standing is connections.Standing.UNTRIED


async def test_any_id_finds_its_thing(set_up: Stage, view: View) -> None:
    case = cases.listing(view).cases[0]
    event = events.listing(view, payloads=True).events[0]

    def kinds(text: str) -> set[str]:
        return {hit.kind.value for hit in search.search(view, text, set_up.bundle)}

    assert kinds(case.business_key) == {"run", "case"}
    assert kinds(case.run_id) == {"run"}
    assert kinds(event.external_id) == {"event"}
    assert kinds("1042") == {"crossref"}
    assert kinds("invoice-to") == {"flow"}
    assert kinds("x") == set()
    assert kinds("_%") == set()
