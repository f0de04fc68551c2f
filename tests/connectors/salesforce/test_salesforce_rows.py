"""Many records of which each is written or refused for itself: what is said of each, and what a hub makes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.samples import ACCOUNT, OTHER_ACCOUNT, SAMPLES, USED
from connectors.salesforce.sandbox.collections_api import CollectionsApi
from connectors.salesforce.sandbox.org import Org as SandboxOrg
from connectors.salesforce.sandbox.record_api import manner_of
from connectors.salesforce.sandbox.wire import Call, Reply
from hub.engine.recording import Recording
from hub.engine.suspicion import Lost
from hub.errors import HubError
from hub.model.event import InboundEvent, Via
from hub.model.run import RunState
from hub.proof.certification.calls import flow_of
from hub.proof.certification.flows import CONNECTION, event_type
from hub.proof.certification.stand import stand
from hub.sdk.errors import FixData, NotBegun, OutcomeUnknown
from hub.sdk.exact_json import dumps, loads
from hub.sdk.guards import ReadBefore
from hub.sdk.testing.hostile import BODIES
from hub.sdk.testing.samples import WriteSample
from hub.sdk.values import Response
from hub.store import run_orders
from hub.store.committer import Work
from hub.store.tables import effects, events, runs
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from tests.connectors.salesforce.connected import KEY, org, settings, written
from tests.connectors.salesforce.test_salesforce_in_a_hub import begin, outcomes, state

UPSERT = written("records.upsert")
SAMPLE = next(one for one in SAMPLES.writes if one.input.get("all_or_none") is False)
#: A name that is longer than the field.
WRONG = {"Name": "x" * 300}


def rows(*records: dict[str, Any], object: str = "Account", **more: Any) -> dict[str, Any]:
    """Give what writes these records, each for itself."""
    return {"object": object, "all_or_none": False, "records": [*records], **more}


def usage(number: int, **fields: Any) -> dict[str, Any]:
    """Give a record of use."""
    return {"value": f"use_{number}", "fields": {**USED, "Quantity__c": number, **fields}}


async def test_good_rows_are_written_and_each_is_told_in_the_order_it_was_sent() -> None:
    async with org() as here:
        record = rows(
            {"value": "cus_9", "fields": {"Name": "Fir"}},
            {"value": "cus_8", "fields": WRONG},
            {"value": "cus_1", "fields": {"Site": "Linz"}},
        )
        found = await here.write("records.upsert", record)
        made = next(one["Id"] for one in here.books["records"]["Account"] if one["Billing_Id__c"] == "cus_9")
        failed = found["rows"][1]
        assert found == {
            "ids": sorted([made, ACCOUNT]),
            "written": 2,
            "rows": [
                {"value": "cus_9", "id": made, "created": True},
                failed,
                {"value": "cus_1", "id": ACCOUNT, "created": False},
            ],
            "failed": [failed],
            "unprocessed": [],
        }
        assert (failed["value"], failed["code"], failed["fields"]) == ("cus_8", "string-too-long", ["Name"])
        assert failed["reason"]


async def test_where_all_are_refused_each_is_told_and_nothing_was_written() -> None:
    async with org() as here:
        before = here.books["records"]["Account"]
        found = await here.write("records.upsert", rows({"value": "cus_8", "fields": WRONG}))
        assert (found["ids"], found["written"], [one["value"] for one in found["failed"]]) == ([], 0, ["cus_8"])
        assert here.books["records"]["Account"] == before


async def test_what_somebody_holds_is_not_refused_for_good_and_keeps_nothing_else_back() -> None:
    async with org() as here:
        await here.seed({"locks": {ACCOUNT: 60}})
        held = {"value": "cus_1", "fields": {"Site": "a"}}
        found = await here.write("records.upsert", rows(held, {"value": "cus_2", "fields": {"Site": "b"}}))
        assert (found["ids"], found["failed"], found["unprocessed"]) == ([OTHER_ACCOUNT], [], ["cus_1"])
        assert found["rows"][0]["code"] == "unable-to-lock-row"
        # Nothing at all was written: that is tried again.
        with pytest.raises(NotBegun):
            await here.write("records.upsert", rows(held))


def answered(results: list[Any], count: int = 2) -> Any:
    """Read these results of records of use."""
    request = UPSERT.request(settings(), rows(*map(usage, range(count)), object="Usage__c"), KEY)
    return UPSERT.answered(request, Response(status=200, body=dumps(results)))


def told(code: str) -> dict[str, Any]:
    """Give a result that is no success."""
    return {"success": False, "errors": [{"statusCode": code, "message": "no", "fields": []}], "created": False}


GOOD = {"id": ACCOUNT, "success": True, "errors": [], "created": True}


@pytest.mark.parametrize(
    "results",
    [
        [GOOD],
        [GOOD, GOOD, GOOD],
        [GOOD, {**GOOD, "id": None}],
        [GOOD, {"errors": []}],
        [told("STRING_TOO_LONG")],
        [GOOD, told("UNKNOWN_EXCEPTION")],
        [told("STRING_TOO_LONG"), told("SERVER_UNAVAILABLE")],
    ],
    ids=["cut", "one-too-many", "nameless", "neither", "refused-and-cut", "broke-off", "not-served"],
)
def test_what_does_not_tell_of_every_record_is_unknown(results: list[Any]) -> None:
    assert len(answered([GOOD, GOOD])["ids"]) == 2
    with pytest.raises(OutcomeUnknown):
        answered(results)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_no_answer_of_a_collection_says_nothing(body: bytes) -> None:
    request = UPSERT.request(settings(), rows(usage(1), object="Usage__c"), KEY)
    with pytest.raises(OutcomeUnknown):
        UPSERT.answered(request, Response(status=200, body=body))


@pytest.mark.parametrize("code", ["UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED", "INVALID_SESSION_ID"])
def test_what_is_not_about_the_data_is_never_a_final_refusal(code: str) -> None:
    found = answered([GOOD, told(code)])
    assert (found["failed"], found["unprocessed"]) == ([], ["use_1"])
    with pytest.raises(HubError) as put_off:
        answered([told(code), told(code)])
    assert not isinstance(put_off.value, FixData | OutcomeUnknown)


def test_all_or_none_stays_what_is_sent_and_given_where_nothing_else_is_wished() -> None:
    record = rows(usage(1), usage(2), object="Usage__c")
    del record["all_or_none"]
    plain = UPSERT.request(settings(), record, KEY)
    assert plain == UPSERT.request(settings(), {**record, "all_or_none": True}, KEY)
    assert loads(plain.body)["allOrNone"] is True
    assert UPSERT.answered(plain, Response(status=200, body=dumps([GOOD, GOOD]))) == {"ids": [ACCOUNT, ACCOUNT]}
    with pytest.raises(FixData):
        UPSERT.answered(plain, Response(status=200, body=dumps([told("STRING_TOO_LONG")] * 2)))


async def test_a_look_tells_of_each_record_in_the_same_form() -> None:
    async with org() as here:
        assert isinstance(UPSERT.guard, ReadBefore)
        record = rows(usage(31), {"value": "use_32", "fields": {"Metric__c": "y"}}, usage(33), object="Usage__c")
        request = UPSERT.request(here.connected.settings, record, KEY)
        found = await here.write("records.upsert", record)
        standing, held = await here.connected.stand(UPSERT.guard.look, request)
        assert standing is not None
        assert not held
        seen = standing.output
        assert seen["ids"] == found["ids"]
        assert [one.get("id") for one in seen["rows"]] == [one.get("id") for one in found["rows"]]
        assert (seen["written"], seen["failed"], seen["unprocessed"]) == (2, [], ["use_32"])
        # What it was answered says that the second need not stand.
        assert (await here.connected.stand(UPSERT.guard.look, request, found))[1]


# --- in a hub ---


async def ends(
    monkeypatch: pytest.MonkeyPatch,
    written: WriteSample,
    spoil: Callable[[int, Reply], Reply] = lambda _sending, reply: reply,
    between: Callable[[SandboxOrg, Call], None] | None = None,
) -> tuple[RunState, list[dict[str, Any]], list[Any], Any]:
    """Let a run make a write whose answers are spoilt; gives how it ended, its effects, its attempts and the books."""
    whole, sent = CollectionsApi.upsert, []

    def upsert(self: CollectionsApi, call: Call, name: str, field: str) -> Reply:
        reply = whole(self, call, name, field)
        sent.append(reply)
        if between is not None and len(sent) == 1:
            between(self._org, call)
        return spoil(len(sent), reply)

    monkeypatch.setattr(CollectionsApi, "upsert", upsert)
    async with stand(CONNECTOR, SAMPLES, flow_of(CONNECTOR, SAMPLES, written)) as hub:
        await begin(hub, written)
        await hub.until(lambda: state(hub) in (RunState.SUCCEEDED, RunState.PARKED))
        with hub.database.reading() as reading:
            made = [dict(one) for one in reading.execute(select(effects)).mappings()]
        return state(hub), made, [len(sent), *outcomes(hub)], hub.books()


async def test_a_run_goes_on_although_a_record_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was refused is not taken for overwritten by somebody else."""
    ended, made, tried, books = await ends(monkeypatch, SAMPLE)
    assert (ended, tried[0], SAMPLE.documents(books)) == (RunState.SUCCEEDED, 1, 1)
    assert (made[0]["state"], made[0]["reason"]) == ("done", None)
    assert [row["value"] for row in loads(made[0]["output"])["failed"]] == ["use_15"]


async def test_a_run_goes_on_although_every_record_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = WriteSample(
        operation="records.upsert",
        input={**SAMPLE.input, "records": [SAMPLE.input["records"][1]]},
        documents=lambda _books: 1,
    )
    ended, made, _, _ = await ends(monkeypatch, refused)
    assert (ended, made[0]["state"], made[0]["reason"]) == (RunState.SUCCEEDED, "done", None)
    assert loads(made[0]["output"])["written"] == 0


def cut(sending: int, reply: Reply) -> Reply:
    """Lose the last result of the first answer."""
    return Reply(body=reply.body[:-1]) if sending == 1 else reply


async def test_after_a_cut_answer_what_is_not_there_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three stand as they were written, and the third as before: nobody else has changed any of them."""
    ended, made, tried, books = await ends(monkeypatch, SAMPLE, cut)
    assert (ended, tried[0], SAMPLE.documents(books)) == (RunState.SUCCEEDED, 2, 1)
    assert "unreadable-answer" in tried
    found = loads(made[0]["output"])
    assert [row["value"] for row in found["rows"]] == ["use_14", "use_15", "use_16"]
    assert (found["written"], [row["value"] for row in found["failed"]]) == (2, ["use_15"])


async def test_after_a_cut_answer_all_that_stands_is_found_and_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    good = WriteSample(
        operation="records.upsert",
        input={**SAMPLE.input, "records": [SAMPLE.input["records"][place] for place in (2, 0)]},
        documents=SAMPLE.documents,
    )
    ended, made, tried, _ = await ends(monkeypatch, good, cut)
    assert (ended, tried[0]) == (RunState.SUCCEEDED, 1)
    found = loads(made[0]["output"])
    assert ([row["value"] for row in found["rows"]], found["written"]) == (["use_16", "use_14"], 2)
    assert all(row["id"] for row in found["rows"])


async def test_what_somebody_else_changed_after_a_cut_answer_goes_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(org: SandboxOrg, call: Call) -> None:
        kind = org.schema.get("Usage__c")
        org.saver.upsert(kind, "Key__c", "use_16", {"Quantity__c": 99}, manner_of(call))

    ended, made, tried, _ = await ends(monkeypatch, SAMPLE, cut, change)
    assert (ended, tried[0]) == (RunState.PARKED, 1)
    assert made[0]["reason"] == "newer-at-target"


async def test_what_somebody_else_changed_of_a_refused_record_is_not_taken_for_the_hubs_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the next write would take it for what the hub has left there, and overwrite it."""

    def change(org: SandboxOrg, call: Call) -> None:
        fields = {**USED, "Quantity__c": 99}
        org.saver.upsert(org.schema.get("Usage__c"), "Key__c", "use_15", fields, manner_of(call))

    ended, made, tried, _ = await ends(monkeypatch, SAMPLE, between=change)
    assert (ended, tried[0]) == (RunState.PARKED, 1)
    assert (made[0]["state"], made[0]["reason"]) == ("done", "overwritten-by-other")


async def test_what_stands_in_part_when_a_run_is_ended_is_told_and_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No answer ever comes whole: whoever ends the run learns which records stand, and which do not."""
    whole = CollectionsApi.upsert

    def upsert(self: CollectionsApi, call: Call, name: str, field: str) -> Reply:
        return Reply(body=whole(self, call, name, field).body[:-1])

    monkeypatch.setattr(CollectionsApi, "upsert", upsert)
    async with stand(CONNECTOR, SAMPLES, flow_of(CONNECTOR, SAMPLES, SAMPLE)) as hub:
        await begin(hub, SAMPLE)
        await hub.until(lambda: state(hub) is RunState.PARKED)
        with hub.database.reading() as reading:
            run = reading.execute(select(runs.c.id)).scalar_one()
        sent = outcomes(hub).count("unreadable-answer")
        await hub.committer.commit(Work(lambda tx: run_orders.cancel(tx, run, actor="user:ada", reason="no more")))
        await hub.until(lambda: state(hub) is RunState.CANCELLED)
        with hub.database.reading() as reading:
            made = reading.execute(select(effects)).mappings().one()
        assert outcomes(hub).count("unreadable-answer") == sent
    found = loads(made["output"])
    assert (made["state"], made["reason"]) == ("done", None)
    assert (found["written"], found["failed"], found["unprocessed"]) == (2, [], ["use_15"])
    assert [row.get("code") for row in found["rows"]] == [None, "not-applied", None]


@pytest.mark.parametrize(("quantity", "ended"), [(16, RunState.SUCCEEDED), (99, RunState.PARKED)])
async def test_after_a_restore_what_stands_as_it_was_written_is_the_runs_own(
    monkeypatch: pytest.MonkeyPatch, quantity: int, ended: RunState
) -> None:
    """Nothing is known of what stood before: records that show something else must be older than what led to it."""
    async with stand(CONNECTOR, SAMPLES, flow_of(CONNECTOR, SAMPLES, SAMPLE)) as hub:
        now = hub.ambient.now()
        lost = Lost(since=now - timedelta(hours=2), until=now + timedelta(hours=2))
        monkeypatch.setattr(Recording, "lost", lambda _self, _operation: lost)
        there = [{"type": "Usage__c", "Key__c": "use_16", **USED, "Quantity__c": quantity}]
        await hub.sandbox.world.books.seed({"records": there})
        data = {"id": "order-1", "input": dict(SAMPLE.input)}
        happened = InboundEvent(
            external_id="order-1", type=event_type(CONNECTOR), occurred_at=now - timedelta(hours=1), data=data
        )
        await hub.intake.accept(CONNECTION, [happened], Via.API)
        await hub.until(lambda: state(hub) in (RunState.SUCCEEDED, RunState.PARKED))
        with hub.database.reading() as reading:
            made = reading.execute(select(effects)).mappings().one()
        assert state(hub) is ended
        assert SAMPLE.documents(hub.books()) == 1
        if ended is RunState.PARKED:
            assert made["reason"] == "newer-at-target"
            return
        found = loads(made["output"])
        assert (found["written"], [row["value"] for row in found["failed"]]) == (2, ["use_15"])


FLOW = """
flow: rows
title: Write records, and go on with each
owner: team:sales-operations
on: { event: salesforce.certification.asked }
key: data.id
business_key: data.id
steps:
  - id: usage
    call: { connection: subject, operation: records.upsert, with: passed_on, of: data.input }
  - id: written
    foreach:
      each: "usage.rows[?id]"
      as: row
      by: row.value
      steps:
        - { id: told, emit: { type: concord.usage.written, subject: row.value, of: "{ id: row.id }" } }
  - id: refused
    foreach:
      each: "[usage.failed[].value, usage.unprocessed][]"
      as: id
      by: id
      steps:
        - { id: alone, emit: { type: concord.usage.alone, subject: id, of: "{ id: id }" } }
"""


async def test_a_flow_goes_on_with_what_was_written_and_apart_from_it_with_the_others() -> None:
    """A record that was refused goes on by itself, in the words in which a bulk job's does."""
    fields = "".join(f"  {name}: {name}\n" for name in SAMPLE.input)
    head = "mapping: passed_on\nversion: 1\nfrom: asked@1\nto: rows@1\nfields:\n"
    files = {
        "flows/rows.yaml": FLOW,
        "mappings/passed_on.yaml": head + fields,
        "schemas/asked@1.json": '{"type": "object"}',
        "schemas/rows@1.json": dumps(dict(UPSERT.input)).decode(),
        "connections/subject.yaml": "connection: subject\nconnector: salesforce\n",
    }
    bundle, lints = compile_bundle({path: text.encode() for path, text in files.items()}, catalogue_of([CONNECTOR]))
    assert bundle is not None, lints
    async with stand(CONNECTOR, SAMPLES, bundle) as hub:
        await begin(hub, SAMPLE)
        await hub.until(lambda: state(hub) is RunState.SUCCEEDED)
        with hub.database.reading() as reading:
            told = reading.execute(select(events.c.type, events.c.subject)).all()
    assert sorted((type, subject) for type, subject in told if type.startswith("concord.")) == [
        ("concord.usage.alone", "use_15"),
        ("concord.usage.written", "use_14"),
        ("concord.usage.written", "use_16"),
    ]
