"""The crash sweep: each point of a shipped flow is really died at, and a broken hub is caught at some of them."""

from __future__ import annotations

import gc
import os
import pickle
import re
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

from hub.errors import Refused
from hub.proof.invariants import Invariant
from hub.proof.mutations import BY_NAME
from hub.proof.prove import EXIT_BROKEN, ProveOptions, run_prove
from hub.proof.simulation import campaign, playing, sweep
from hub.proof.simulation.case import Case
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.points import Point, Where
from hub.proof.simulation.sweep import Swept
from hub.store import resuming

NOTICE = next(case for case in CASES if case.name == "collections-notice")
INVOICE = next(case for case in CASES if case.flows == ("invoice-to-erp",))


def case_of(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


Whole = Callable[[str], tuple[Swept, list[Point]]]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Give what came of a case without a crash, and its points; what one process of a test run has played, all have."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "played"
    folder.mkdir(exist_ok=True)

    @cache
    def of(name: str) -> tuple[Swept, list[Point]]:
        kept = folder / sha256(name.encode()).hexdigest()
        if kept.exists():
            found: tuple[Swept, list[Point]] = pickle.loads(kept.read_bytes())  # noqa: S301 - this run's own
            return found
        found = sweep.points_of(case_of(name))
        new = kept.with_suffix(f".{os.getpid()}")
        new.write_bytes(pickle.dumps(found))
        new.replace(kept)
        return found

    return of


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> None:
    """Leave what is there already out of the collection after each case; it takes longer than the case otherwise."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def test_a_flow_survives_a_crash_at_every_point() -> None:
    found = sweep.sweep(NOTICE)
    assert found.broken == []
    assert found.covered == found.points >= 8


#: Each flow as it goes most often, and some of the further stories.
SOME = [
    pytest.param(case, marks=[pytest.mark.long("concord prove")] if case.story else [], id=case.name)
    for place, case in enumerate(CASES)
    if not case.story or place % 5 == 0
]


@pytest.mark.parametrize("case", SOME)
def test_a_flow_has_points_and_survives_some(case: Case, whole: Whole) -> None:
    """All of them, of every case, are `concord prove`'s; here is one of each of two sides, which go round."""
    found, points = whole(case.name)
    assert found.broken == []
    assert found.points == len(points) >= 8
    sides, place = tuple(Where), CASES.index(case)
    some = [_last(points, sides[(place + further) % len(sides)]) for further in (0, 1)]
    crashed = sweep.crash(case, some)
    assert crashed.broken == []
    assert crashed.covered == len(some)


def test_the_page_lists_every_case_and_adds_their_points_up() -> None:
    """That each has as many is seen by `concord prove`, which counts them."""
    told = (Path(__file__).parents[2] / "docs/proof.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| (\d+) \|$", told, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(case.name for case in CASES)
    assert f"There are {sum(int(points) for _, points in rows):,} points in {len(rows)} cases:" in told


@pytest.mark.long("concord prove")
@pytest.mark.timeout(400)
def test_every_step_arm_undo_and_wait_that_ships_is_come_to(whole: Whole) -> None:
    """And every case comes to its end as it should where nobody dies."""
    swept = [whole(case.name)[0] for case in CASES]
    assert [found for each in swept for found in each.broken] == []
    assert min(each.points for each in swept) >= 8
    assert sweep.uncovered(swept) == []
    plain = [each for each in swept if each.flows[0] == INVOICE.name]
    missed = [place for place in sweep.uncovered(plain) if place.startswith("invoice-to-erp: ")]
    elsewhere = ("booked = s4hana", "booked.entered", "booked.entry")
    unseen = (
        "approval waits",
        *elsewhere,
        "customer waits",
        "sold[].coming waits",
        "undo:booked.entry",
        "undo:booked.post",
        "undo:tax",
    )
    assert missed == [f"invoice-to-erp: {place}" for place in unseen]


def test_a_tax_document_that_was_not_voided_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "done_effects", lambda *_args, **_more: [])
    found = playing.play(case_of("invoice-to-erp that the ERP refuses"), None).findings
    assert Invariant.EXCEPTIONS_EXPLAINED in {finding.invariant for finding in found}


def test_a_tie_to_what_was_taken_back_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "tied", lambda *_args, **_more: [])
    found = playing.play(case_of("invoice-to-erp that is taken back"), None).findings
    assert [finding.invariant for finding in found] == [Invariant.TAKEN_BACK]


def test_who_sends_again_without_looking_is_caught() -> None:
    """A notice that was cut off may have been given; the broken hub gives it again."""
    broken = sweep.crash(NOTICE, [_given()], BY_NAME["blind_retry"].composition)
    assert {finding.invariant for _, finding in broken.broken} == {Invariant.NOTHING_TWICE}


def test_a_point_that_is_never_reached_is_not_covered() -> None:
    found = sweep.crash(NOTICE, [Point(where=Where.BEFORE_CALL, number=500)])
    assert (found.covered, found.broken) == (0, [])
    whole = Swept(flows=NOTICE.flows, points=1)
    whole.join(found)
    assert whole.to_json()["covered"] == 0


def test_a_broken_crash_is_run_again_by_the_command_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    broken = sweep.crash(NOTICE, [_given()], BY_NAME["blind_retry"].composition)
    ((at, finding),) = broken.broken
    assert run_prove(ProveOptions(crash=f"{NOTICE.name}, {at}", mutant="blind_retry")) == EXIT_BROKEN
    assert finding.detail in capsys.readouterr().out
    assert run_prove(ProveOptions(crash=f"{NOTICE.name}, {at}")) == 0


@pytest.mark.parametrize(
    "text",
    ["", "invoice-to-erp", "invoice-to-erp, 6", "nobody, after a commit 6", "invoice-to-erp, after a commit x"],
)
def test_what_names_no_crash_is_told_what_does(text: str) -> None:
    with pytest.raises(Refused, match=r"Give a case \(docs/proof.md .*after a request\) with its number"):
        sweep.named(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("invoice-to-erb, after a commit 6", "invoice-to-erp"),
        ("collections-notices", "collections-notice"),
        (
            "payout-to-erp that is takn back, in S/4HANA, after a commit 2",
            "payout-to-erp that is taken back, in S/4HANA",
        ),
    ],
)
def test_a_case_that_is_nearly_named_is_asked_for(text: str, meant: str) -> None:
    with pytest.raises(Refused, match=f"Did you mean `{meant}`"):
        sweep.named(text)


def test_a_crash_at_a_point_that_is_not_there_proves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_prove(ProveOptions(crash=f"{NOTICE.name}, after a commit 600")) == EXIT_BROKEN
    assert "Nothing died: collections-notice has" in capsys.readouterr().out


def _given() -> Point:
    """Name the point at which the notice was given, and nobody knows of it yet."""
    return _last(sweep.points_of(NOTICE)[1], Where.AFTER_CALL)


def _last(points: Sequence[Point], where: Where) -> Point:
    return [point for point in points if point.where is where][-1]
