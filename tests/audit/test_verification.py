"""Every way of tampering with a log is found, and the entry is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import assume, given
from hypothesis import strategies as st

from hub.audit.chain import ChainHead, Link, links
from hub.audit.entry import Entry
from hub.audit.kinds import AuditKind
from hub.audit.verification import Finding, Tampering, verify_chain

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def write_log(size: int, log: str = "hub") -> list[Link]:
    """Write a log of `size` entries as a committer would."""
    leaves = [
        Entry(
            log=log,
            sequence=number,
            at=NOON,
            kind=AuditKind.RUN_QUEUED,
            actor="local",
            subjects={"run": f"r_{number}"},
        ).leaf()
        for number in range(1, size + 1)
    ]
    return list(links(ChainHead(log=log), leaves))


def head_of(log: list[Link]) -> ChainHead:
    """Give the head of a whole log."""
    return ChainHead(log="hub", size=len(log), chain=log[-1].chain) if log else ChainHead(log="hub")


def numbers(findings: list[Finding], tampering: Tampering | None = None) -> set[int]:
    """Give the numbers of all entries that the findings name."""
    return {
        number
        for finding in findings
        if tampering in (None, finding.tampering)
        for number in range(finding.sequence, finding.until + 1)
    }


def renumber(log: list[Link]) -> list[Link]:
    """Store links under consecutive numbers, as one would to hide a change."""
    return [replace(link, sequence=number) for number, link in enumerate(log, start=1)]


sizes = st.integers(1, 40)


@given(size=st.integers(0, 40), data=st.data())
def test_an_untouched_log_has_no_findings(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    cuts = data.draw(st.lists(st.integers(0, size), max_size=3))
    assert verify_chain(log, head_of(log), [head_of(log[:cut]) for cut in cuts]) == []


@given(size=sizes, data=st.data())
def test_an_altered_entry_is_named_and_no_other(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    place = data.draw(st.integers(0, size - 1))
    at = data.draw(st.integers(0, len(log[place].leaf) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(log[place].leaf[at] != byte)
    leaf = log[place].leaf[:at] + bytes([byte]) + log[place].leaf[at + 1 :]
    altered = [*log[:place], replace(log[place], leaf=leaf), *log[place + 1 :]]
    assert numbers(verify_chain(altered, head_of(log))) == {place + 1}


@given(size=sizes, data=st.data())
def test_an_altered_chain_hash_is_named_and_no_other(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    place = data.draw(st.integers(0, size - 1))
    chain = data.draw(st.binary(min_size=32, max_size=32))
    assume(chain != log[place].chain)
    altered = [*log[:place], replace(log[place], chain=chain), *log[place + 1 :]]
    assert numbers(verify_chain(altered, head_of(log))) == {place + 1}


@given(size=sizes, data=st.data())
def test_missing_entries_are_named_and_no_other(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    gone = data.draw(st.sets(st.integers(1, size), min_size=1))
    findings = verify_chain([link for link in log if link.sequence not in gone], head_of(log))
    assert numbers(findings) == numbers(findings, Tampering.MISSING) == gone


@given(size=sizes, data=st.data())
def test_a_cut_tail_is_named_against_the_head(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    left = data.draw(st.integers(0, size - 1))
    findings = verify_chain(log[:left], head_of(log))
    assert numbers(findings, Tampering.MISSING) == numbers(findings) == set(range(left + 1, size + 1))


@given(size=sizes, data=st.data())
def test_a_tail_cut_together_with_its_head_is_named_against_an_anchor(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    left = data.draw(st.integers(0, size - 1))
    findings = verify_chain(log[:left], head_of(log[:left]), [head_of(log)])
    assert numbers(findings, Tampering.MISSING) == numbers(findings) == set(range(left + 1, size + 1))


@given(size=st.integers(2, 40), data=st.data())
def test_entries_stored_in_each_others_place_are_named(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    one, other = sorted(data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True)))
    swapped = list(log)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    findings = verify_chain(renumber(swapped), head_of(log))
    assert {one + 1, other + 1} <= numbers(findings, Tampering.REORDERED)
    # The order of the rows alone, each with its own number, shows too.
    assert verify_chain(swapped, head_of(log))


@given(size=st.integers(2, 40), data=st.data())
def test_swapped_leaves_are_named_and_no_other(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    one, other = data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    swapped = list(log)
    swapped[one] = replace(log[one], leaf=log[other].leaf)
    swapped[other] = replace(log[other], leaf=log[one].leaf)
    findings = verify_chain(swapped, head_of(log))
    assert numbers(findings) == numbers(findings, Tampering.REORDERED) == {one + 1, other + 1}


@given(size=sizes, data=st.data())
def test_an_inserted_entry_is_found(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    place = data.draw(st.integers(0, size))
    forged = replace(write_log(size + 1)[place], sequence=place + 1)
    inserted = [*log[:place], forged, *log[place:]]
    assert numbers(verify_chain(renumber(inserted), head_of(log))) & set(range(place + 1, size + 2))
    assert place + 1 in numbers(verify_chain(inserted, head_of(log)), Tampering.SURPLUS)


@given(size=sizes, data=st.data())
def test_a_log_chained_anew_is_narrowed_to_the_anchors_around_the_change(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    place = data.draw(st.integers(0, size - 1))
    anchors = sorted(data.draw(st.sets(st.integers(0, size))) | {0, size})
    leaves = [link.leaf for link in log]
    leaves[place] = leaves[place].replace(b'"local"', b'"other"')
    forged = list(links(ChainHead(log="hub"), leaves))
    findings = verify_chain(forged, head_of(log), [head_of(log[:anchor]) for anchor in anchors])
    fitting = max(anchor for anchor in anchors if anchor <= place)
    failing = min(anchor for anchor in anchors if anchor > place)
    assert [finding.tampering for finding in findings] == [Tampering.REWRITTEN]
    assert numbers(findings) == set(range(fitting + 1, failing + 1))


@given(size=sizes, data=st.data())
def test_no_mixture_of_changes_goes_unnoticed(size: int, data: st.DataObject) -> None:
    log = write_log(size)
    forged = data.draw(st.lists(st.sampled_from([*log, *write_log(3, log="other")]), max_size=size + 3))
    assume(forged != log)
    assert verify_chain(forged, head_of(log))
    assert verify_chain(renumber(forged), head_of(log))


def test_a_finding_reads_as_one_line() -> None:
    log = write_log(3)
    (finding,) = verify_chain([log[0], log[2]], head_of(log))
    assert str(finding) == "hub: entry 2 missing: nothing is stored; entry 3 cannot be checked against it"
