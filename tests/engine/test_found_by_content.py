"""A write that bears no key is found by what it says and when: what said so before, or for another, is not it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.model.effect import Idempotency
from hub.model.exchange import Request, Response
from hub.sdk import exact_json
from hub.sdk.by_content import ByContent, Sought
from hub.sdk.calls import Course
from hub.sdk.connector import Connector, WriteOperation
from hub.store.tables import effects
from tests.engine.house import FastClock, House
from tests.engine.test_once import one_write
from tests.engine.vendor import BASE, Vendor, connector


@dataclass(slots=True, kw_only=True)
class Office(Vendor):
    """Makes a document of all that comes, and lists them with their times; its clock may be behind."""

    clock: FastClock
    behind: timedelta = timedelta()
    made: dict[str, datetime] = field(default_factory=dict)

    def _serve(self, request: Request) -> Response:
        if request.url.endswith("/documents"):
            listed = [{**one, "made": self.made[one["id"]].isoformat()} for one in self.documents]
            return Response(status=200, body=exact_json.dumps(listed))
        answer = Vendor._serve(self, request)
        self.made[self.documents[-1]["id"]] = self.clock.now() - self.behind
        return answer


def content(request: Request) -> str:
    return str(exact_json.loads(request.body)["value"])


def find(_settings: Any, request: Request, sought: Sought) -> Course[Mapping[str, Any] | None]:
    answer = yield Request(method="GET", url=f"{BASE}/documents")
    taken = [output["id"] for output in sought.taken]
    for one in exact_json.loads(answer.body):
        alike = one["value"] == content(request) and one["id"] not in taken
        if alike and datetime.fromisoformat(one["made"]) >= sought.since:
            return {"id": one["id"]}
    return None


def keyless() -> Connector:
    """Give the vendor's connector, whose native write bears no key that the vendor would know again."""
    native = connector.operation("native.write")
    assert isinstance(native, WriteOperation)
    others = [operation for operation in connector.operations if operation is not native]
    by_content = ByContent(name=content, find=find)

    def request(_settings: Any, record: Mapping[str, Any], _key: Any) -> Request:
        return Request(method="POST", url=f"{BASE}/unsafe", headers={}, body=exact_json.dumps(record))

    found = replace(native, request=request, by_content=by_content, remembers=0.0, settle=1.0)
    return replace(connector, operations=(*others, found))


def outputs(house: House) -> list[str]:
    with house.database.reading() as reading:
        rows = reading.execute(select(effects.c.output).order_by(effects.c.created_at)).scalars()
        return [exact_json.loads(row)["id"] for row in rows]


@pytest.mark.parametrize("fault", ["lost-before", "lost-after"])
@pytest.mark.parametrize("behind", [timedelta(), timedelta(minutes=5), timedelta(minutes=-5)])
@pytest.mark.parametrize("between", [timedelta(days=1), timedelta(minutes=1)])
async def test_what_said_the_same_before_is_not_taken_for_it(
    tmp_path: Path, fault: str, behind: timedelta, between: timedelta
) -> None:
    """The same values come again with others in between, and the answer is lost: they are written all the same."""
    clock, broken = FastClock(), [False]

    def breaks(request: Request, _number: int) -> str | None:
        if not broken[0] or request.method != "POST":
            return None
        broken[0] = False
        return fault

    vendor = Office(clock=clock, behind=behind, fault=breaks)
    house = House(tmp_path, vendor, one_write(Idempotency.NATIVE), connector=keyless(), clock=clock)
    await house.start()
    for number, value in enumerate(("one", "other", "one")):
        broken[0] = number == 2
        await house.give({"id": f"e{number}", "key": "k", "value": value})
        assert await house.settled() == {"succeeded": number + 1}
        clock.leap(between)
    assert [one["value"] for one in vendor.documents] == ["one", "other", "one"]
    assert outputs(house) == ["doc_1", "doc_2", "doc_3"]
    await house.stop()


async def test_two_that_say_the_same_go_one_after_the_other(tmp_path: Path) -> None:
    """Neither is taken for the other, although both lose their answers."""
    clock = FastClock()
    vendor = Office(clock=clock, fault=lambda request, number: "lost-after" if number in (1, 3, 4) else None)
    house = House(tmp_path, vendor, one_write(Idempotency.NATIVE), connector=keyless(), clock=clock)
    await house.start()
    await house.give(*({"id": f"e{number}", "key": f"k{number}", "value": "one"} for number in range(3)))
    assert await house.settled() == {"succeeded": 3}
    assert sorted(outputs(house)) == ["doc_1", "doc_2", "doc_3"]
    assert len(vendor.documents) == 3
    await house.stop()


@pytest.mark.parametrize(("ago", "documents"), [(timedelta(days=1), 2), (timedelta(seconds=-1), 1)])
async def test_what_was_made_before_it_could_leave_is_not_it(tmp_path: Path, ago: timedelta, documents: int) -> None:
    """Of what the hub knows nothing of, only the time tells."""
    clock = FastClock()
    vendor = Office(clock=clock, fault=lambda _request, number: "lost-before" if number == 1 else None)
    vendor.made[vendor._add("unsafe", {"key": "k", "value": "one"}, None)] = clock.now() - ago
    house = House(tmp_path, vendor, one_write(Idempotency.NATIVE), connector=keyless(), clock=clock)
    await house.start()
    await house.give({"id": "e", "key": "k", "value": "one"})
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor.documents) == documents
    assert outputs(house) == [f"doc_{documents}"]
    await house.stop()
