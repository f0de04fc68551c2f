"""The desk: one job at a time, what must be confirmed, and what serves after a start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from hub.errors import FixData, HubError, WorkspaceInvalid
from hub.release.desk import Confirmation, Desk, Job, JobState, Wanted
from hub.release.parcel import packed, unpacked
from hub.runtime.shelf import begin
from hub.store import revisions
from hub.store.committer import Work
from hub.store.revisions import How, NewRevision
from hub.workspace.bundle import Bundle
from hub.workspace.compiled_files import EnvironmentFile
from tests.engine.house import House
from tests.engine.vendor import Vendor
from tests.release.company import CATALOGUE, FILES, changed, compiled, half_even, invoice

ENVIRONMENT = "environment: test\nconnections: { vendor: { base_url: 'https://vendor.example' } }\n"
GOVERNED = {**FILES, "environments/test.yaml": ENVIRONMENT + "publish: {}\n"}
NOTHING_SAID = Confirmation()
SURE = Confirmation(confirmed=True, reason="agreed")


class Office:
    """A house with a desk in it."""

    def __init__(self, house: House, desk: Desk, served: list[Bundle]) -> None:
        self.house = house
        self.desk = desk
        self.served = served
        self.limits = EnvironmentFile(name="test", title="Test", connections={})

    async def ended(self, job: Job) -> Job:
        async with asyncio.timeout(30):
            while job.state is JobState.WORKING:
                await asyncio.sleep(0.01)
        return job

    async def publish(self, files: dict[str, str] | str, confirmation: Confirmation = NOTHING_SAID) -> Job:
        wanted = Wanted(word=files) if isinstance(files, str) else folder(files)
        return await self.ended(self.desk.publish(wanted, confirmation, actor="local", events=100))


def folder(files: dict[str, str]) -> Wanted:
    return Wanted(word=".", files={path: text.encode() for path, text in files.items()})


def with_publish(files: dict[str, str]) -> dict[str, str]:
    return {**files, "environments/test.yaml": GOVERNED["environments/test.yaml"]}


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    house = House(tmp_path, Vendor(), compiled(GOVERNED))
    served: list[Bundle] = []
    made: list[Office] = []
    desk = Desk(
        environment="test",
        ambient=house.ambient,
        database=house.database,
        committer=house.committer,
        catalogue=CATALOGUE,
        limits=lambda: made[0].limits,
        switch=served.append,
    )
    made.append(Office(house, desk, served))
    await house.start()
    first = NewRevision(
        environment="test", bundle=house.bundle.id, files=house.bundle.files, how=How.FIRST, actor="worker_1"
    )
    await house.committer.commit(Work(lambda tx: revisions.add(tx, first, after=None)))
    await house.orders.link("customer", [{"vendor": "cus_1", "books": "C1"}], actor="local")
    await house.give(*(invoice(number, ("p", "3", "0.335")) for number in range(4)))
    await house.settled()
    yield made[0]
    await house.stop()


async def test_money_above_the_limit_must_be_confirmed_with_a_reason(office: Office) -> None:
    otherwise = with_publish(half_even())
    for confirmation in (Confirmation(), Confirmation(confirmed=True), Confirmation(confirmed=True, reason="  ")):
        job = await office.publish(otherwise, confirmation)
        assert job.state is JobState.HELD
        assert job.plan is not None
        assert [one.sentence for one in job.plan.concerns] == ["0.04 EUR move in 4 runs; the limit of test is 0."]
    assert office.served == []
    job = await office.publish(otherwise, SURE)
    assert (job.state, job.number, job.how) == (JobState.DONE, 2, How.PUBLISH)
    assert [bundle.id for bundle in office.served] == [compiled(otherwise).id]
    back = await office.publish("1", SURE)
    assert (back.number, back.how) == (3, How.ROLLBACK)


async def test_a_publish_cannot_be_made_blind(office: Office) -> None:
    wanted = folder(with_publish(half_even()))
    job = await office.ended(office.desk.publish(wanted, NOTHING_SAID, actor="local", events=0))
    assert job.state is JobState.HELD
    assert job.plan is not None
    assert job.plan.wanted == 1000


async def test_what_is_within_the_limit_needs_no_word(office: Office) -> None:
    office.limits = replace(office.limits, max_money_difference={"EUR": Decimal("0.04")})
    assert (await office.publish(with_publish(half_even()))).state is JobState.DONE


async def test_an_environment_that_asks_for_people_needs_a_confirmation_each_time(office: Office) -> None:
    office.limits = replace(office.limits, approvals=2)
    files = with_publish(changed(("flows/tested.yaml", "title: Post invoices", "title: Invoices")))
    job = await office.publish(files)
    assert job.state is JobState.HELD
    assert job.plan is not None
    assert "2 more people to agree" in job.plan.concerns[0].sentence
    assert (await office.publish(files, SURE)).state is JobState.DONE


async def test_errors_cannot_be_confirmed(office: Office) -> None:
    job = await office.publish(with_publish({**FILES, "flows/tested.yaml": "flow: [broken"}), SURE)
    assert job.state is JobState.FAILED
    assert job.plan is not None
    assert job.plan.errors[0].path == "flows/tested.yaml"
    job = await office.publish(FILES, SURE)
    assert isinstance(job.problem, WorkspaceInvalid)
    assert "no environment `test`" in str(job.problem)
    assert office.served == []


async def test_what_is_published_already_and_what_nobody_knows_is_refused(office: Office) -> None:
    for word, said in (
        ("published", "published already"),
        ("7", "no revision 7"),
        ("abcdef0", "no bundle that is kept begins so"),
        ("nonsense", "names no revision"),
    ):
        job = await office.publish(word)
        assert job.state is JobState.FAILED
        assert said in str(job.problem)
    assert (await office.publish(office.house.bundle.id[:10])).problem is not None


async def test_jobs_wait_for_each_other_and_can_be_cancelled(office: Office) -> None:
    published = Wanted(word="published")
    jobs = [office.desk.plan(published, folder(with_publish(half_even())), events=100) for _ in range(3)]
    office.desk.cancel(jobs[1].id)
    states = [(await office.ended(job)).state for job in jobs]
    assert states == [JobState.DONE, JobState.CANCELLED, JobState.DONE]
    assert office.desk.job(jobs[0].id) is jobs[0]
    with pytest.raises(HubError, match="no such plan"):
        office.desk.job("plan_gone")


async def test_of_two_publishes_that_began_alike_the_second_is_compared_anew(office: Office) -> None:
    one = office.desk.publish(folder(with_publish(half_even())), SURE, actor="local", events=100)
    other = office.desk.publish(folder(with_publish(half_even())), SURE, actor="local", events=100)
    assert (await office.ended(one)).number == 2
    assert "published already, as revision 2" in str((await office.ended(other)).problem)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


async def test_what_serves_after_a_start_is_what_its_environment_says(office: Office, tmp_path: Path) -> None:
    database, committer = office.house.database, office.house.committer
    other = write(tmp_path / "workspace", with_publish(half_even()))
    start = begin(other, "test", CATALOGUE, database)
    assert (start.bundle.id, start.how, start.after) == (office.house.bundle.id, None, 1)
    write(other, {"flows/tested.yaml": "flow: [broken"})
    assert begin(other, "test", CATALOGUE, database).bundle.id == office.house.bundle.id

    free = compiled({**FILES, "environments/test.yaml": ENVIRONMENT})
    new = NewRevision(environment="test", bundle=free.id, files=free.files, how=How.PUBLISH, actor="local")
    await committer.commit(Work(lambda tx: revisions.add(tx, new, after=1)))
    with pytest.raises(WorkspaceInvalid):
        begin(other, "test", CATALOGUE, database)
    write(other, with_publish(half_even()))
    start = begin(other, "test", CATALOGUE, database)
    assert (start.how, start.after) == (How.START, 2)
    write(other, {**FILES, "environments/test.yaml": ENVIRONMENT})
    assert begin(other, "test", CATALOGUE, database).how is None
    assert begin(other, "elsewhere", CATALOGUE, database).how is How.FIRST


def test_files_are_sent_whole_or_not_at_all() -> None:
    files = {"flows/a.yaml": b"\x00\xff", "mappings/b.yaml": "ö".encode()}
    assert unpacked(packed(files)) == files
    whole = packed(files)
    for text in ("", "no base64!", whole[: len(whole) // 2], "aGVsbG8="):
        with pytest.raises(FixData):
            unpacked(text)
