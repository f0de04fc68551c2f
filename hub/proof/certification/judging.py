"""What one trial came to, and whether that is right: pure, so that the judge itself can be tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.model.effect import EffectState, Idempotency
from hub.model.run import RunState
from hub.proof.certification.catalogue import Verdict

#: What an output is known by.
_NAMES = ("id", "code")


class Harm(StrEnum):
    """What no fault may ever do; a sentence that tells of it begins with its words."""

    DUPLICATE = "duplicate"
    LOST = "lost"
    WRONG_OUTCOME = "wrong outcome"


def harm_of(sentence: str) -> Harm | None:
    """Tell which harm a sentence of a judge tells of; None where it is something else that does not hold."""
    return next((harm for harm in Harm if sentence.startswith(f"{harm}: ")), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a call ended: what the hub has recorded, and what the vendor's books hold.

    `documents` counts what the write has made (None for a read). `expected` is what comes when nothing goes wrong; None
    where the vendor itself says something else.
    `pauses` counts how often the connection was paused, and `mended` says that it was let go on.
    """

    run: str
    reason: str | None
    effect: str | None
    output: Any
    expected: Any
    documents: int | None
    cases: int
    pauses: int
    mended: bool
    strayed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the readings of a stream came to: ids of events that are missing or differ from the vendor's, and counts."""

    lost: Sequence[str]
    wrong: Sequence[str]
    kept: int
    events: int
    runs: int
    pauses: int
    strayed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a back-fill of a listing came to: what was read, ids of records listed or taken twice, and its end.

    `read` names what is missing and what differs by the ids of the records. `astray` are cursors of pages that lead
    elsewhere than behind them (a hub that is started again would lose records or repeat them). `pages` counts
    those that all is listed in.
    """

    read: Read
    twice: Sequence[str]
    astray: Sequence[str]
    pages: int
    done: bool
    error: str | None


def some(ids: Sequence[str]) -> str:
    """Name the first few of many."""
    named = ", ".join(ids[:3])
    return named if len(ids) <= 3 else f"{named} and {len(ids) - 3} more"


def judge_read(read: Read, verdict: Verdict) -> list[str]:
    """Tell in sentences what is wrong with what was read; nothing when all holds."""
    wrong = []
    if not read.events:
        wrong.append("nothing was read; seed something that it shows")
    if read.lost:
        wrong.append(f"{Harm.LOST}: {some(read.lost)}")
    if read.wrong:
        wrong.append(f"{Harm.WRONG_OUTCOME}: {some(read.wrong)} is not as the vendor has it")
    if read.kept:
        wrong.append(f"{read.kept} events were kept for a person")
    if read.runs != read.events:
        wrong.append(f"{Harm.DUPLICATE}: {read.events} events started {read.runs} runs")
    if read.strayed:
        wrong.append(f"a request went to another host ({read.strayed} times)")
    if read.pauses > 1:
        wrong.append(f"the connection was paused {read.pauses} times")
    if verdict is Verdict.PAUSED and read.pauses != 1:
        wrong.append("the connection was not paused")
    if verdict is Verdict.DONE and read.pauses:
        wrong.append("the connection was paused")
    return wrong


def judge_listing(listed: Listed, verdict: Verdict) -> list[str]:
    """Tell in sentences what is wrong with what was listed; nothing when all holds."""
    wrong = judge_read(listed.read, verdict)
    if listed.twice:
        wrong.append(f"{Harm.DUPLICATE}: {some(listed.twice)} is there twice")
    if listed.astray:
        wrong.append(f"a page's cursor does not lead behind it: {some(listed.astray)}")
    if listed.pages < 2:
        wrong.append("it has a single page; seed so much that there is a second one")
    if not listed.done:
        wrong.append(f"the back-fill has not come to its end ({listed.error})")
    return wrong


def judge(ended: Ended, verdict: Verdict, idempotency: Idempotency | None) -> list[str]:
    """Tell in sentences what is wrong with how a call ended; nothing when all holds."""
    wrong = [*_reads(ended)] if ended.documents is None else [*_writes(ended)]
    if ended.reason == "internal-error":
        wrong.append("the connector broke (internal-error)")
    if ended.strayed:
        wrong.append(f"a request went to another host ({ended.strayed} times)")
    if ended.run == RunState.PARKED and ended.cases != 1:
        wrong.append(f"the run stopped, and {ended.cases} cases tell of it")
    if ended.run not in (RunState.SUCCEEDED, RunState.PARKED):
        wrong.append(f"the run is still {ended.run} ({ended.reason})")
    if ended.pauses > 1:
        wrong.append(f"the connection was paused {ended.pauses} times")
    if verdict is Verdict.PAUSED and ended.pauses != 1:
        wrong.append("the connection was not paused")
    if verdict not in (Verdict.PAUSED, Verdict.MENDED, Verdict.TRUTHFUL) and ended.pauses:
        wrong.append("the connection was paused")
    # What cannot be told a second time may end with a person; nothing else may, but where the verdict says so.
    lenient = verdict is Verdict.TRUTHFUL or idempotency is Idempotency.UNSAFE
    if ended.run == RunState.PARKED and not lenient:
        wrong.append(f"a person is needed ({ended.reason})")
    return wrong


def _writes(ended: Ended) -> Sequence[str]:
    wrong = []
    documents, effect = ended.documents or 0, ended.effect
    if documents > 1:
        wrong.append(f"{Harm.DUPLICATE}: the books have it {documents} times")
    if effect == EffectState.DONE and documents < 1:
        wrong.append(f"{Harm.LOST}: it counts as done, and the books do not have it")
    if effect in (EffectState.FAILED, None) and documents:
        wrong.append(f"{Harm.WRONG_OUTCOME}: it counts as not done, and the books have it")
    if ended.run == RunState.SUCCEEDED and effect != EffectState.DONE:
        wrong.append(f"{Harm.WRONG_OUTCOME}: the run succeeded, and the write is {effect}")
    if effect == EffectState.DONE and ended.expected is not None and _named(ended.output) != _named(ended.expected):
        wrong.append(f"{Harm.WRONG_OUTCOME}: {_named(ended.output)} was recorded for {_named(ended.expected)}")
    return wrong


def _reads(ended: Ended) -> Sequence[str]:
    if ended.run != RunState.SUCCEEDED or ended.expected is None:
        return []
    output = ended.output if isinstance(ended.output, Mapping) else {}
    # A field more is for whoever reads to make something of.
    if any(name not in output or output[name] != value for name, value in ended.expected.items()):
        return [f"{Harm.WRONG_OUTCOME}: something else was read ({_difference(ended.output, ended.expected)})"]
    return []


def _named(output: Any) -> Mapping[str, Any]:
    return {name: output[name] for name in _NAMES if name in output} if isinstance(output, Mapping) else {}


def _difference(one: Any, other: Any) -> str:
    """Name the fields in which two records differ."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return "all of it"
    names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    return ", ".join(names[:5])
