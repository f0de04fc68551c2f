"""What a replay will do, told before it is ordered; pure."""

from __future__ import annotations

from dataclasses import dataclass

from hub.model.effect import LEFT_STANDING, WRITTEN_DIFFERENTLY, EffectState
from hub.model.flow import Flow
from hub.model.flow_steps import UNDOING
from hub.model.run import StepState
from hub.queries.standing import Written
from hub.queries.timeline import RunDetail
from ui.words import count

#: Why a run stopped that would write otherwise than what stands, or leave that standing.
MEANT_OTHERWISE = (WRITTEN_DIFFERENTLY, LEFT_STANDING)
#: What a form says that begins where the run stopped.
FROM_FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """One way to replay a run: from which step (empty: from the start), in a sentence, and step by step."""

    from_step: str
    title: str
    sentence: str
    reused: tuple[str, ...]
    again: tuple[str, ...]
    safe: tuple[str, ...]


def plan_replay(detail: RunDetail, flow: Flow | None) -> tuple[ReplayPlan, ...]:
    """Give the ways a run can be replayed, the gentlest first; none while it may not be."""
    if not detail.replayable:
        return ()
    known = [step.id for step in flow.steps] if flow is not None else list(starting_points(detail))
    done = [step.path for step in detail.steps if step.state is StepState.SUCCEEDED]
    written = {step.path for step in detail.steps if step.effect is not None and step.effect.state is EffectState.DONE}
    plans = []
    stopped = detail.replay_from
    if stopped is not None and done:
        kept = tuple(path for path in known if path in done)
        again = tuple(path for path in known if path not in done)
        plans.append(
            ReplayPlan(
                from_step=FROM_FAILURE,
                title=f"Replay from {stopped}",
                sentence=(
                    f"Keeps the recorded results of {count(len(kept), 'step')} and goes on with {stopped}. "
                    f"{_warning(detail, stopped)}"
                ),
                reused=kept,
                again=again,
                safe=(),
            )
        )
    # Those within steps have no place of their own in the list of steps.
    inner = sorted(path for path in written if path not in known and not path.startswith(UNDOING))
    safe = (*(path for path in known if path in written), *inner)
    guarded = (
        f" {count(len(safe), 'write')} already done ({', '.join(safe)}) will be recognised by the effect key "
        "and not sent again; with other files, or another record, it stops where one of them would be another."
        if safe
        else ""
    )
    plans.append(
        ReplayPlan(
            from_step="",
            title="Replay from the start",
            sentence=f"Does every step anew with the event as it was received.{guarded}",
            reused=(),
            again=tuple(known),
            safe=safe,
        )
    )
    return tuple(plans)


def starting_points(detail: RunDetail) -> tuple[str, ...]:
    """Give the steps of a flow that a replay may begin with, in their order; not those inside of others."""
    own = (step.path for step in detail.steps if not step.path.startswith(UNDOING))
    return tuple(path for path in own if _head(path) == path)


def written_from(detail: RunDetail, start: str | None) -> tuple[Written, ...]:
    """Give the writes that exist and that a replay from this step on would meet again; from the start without one.

    From where the run stopped (`FROM_FAILURE`) it is all that no step has met which the replay keeps.
    """
    if start == FROM_FAILURE:
        kept = {step.path for step in detail.steps if step.state is StepState.SUCCEEDED}
        return tuple(each for each in detail.standing.repeatable if each.step not in kept)
    order = {step.path: place for place, step in enumerate(detail.steps)}
    first = order.get(start, 0) if start is not None else 0
    return tuple(each for each in detail.standing.repeatable if order.get(_head(each.path), first) >= first)


def _head(path: str) -> str:
    """Give the outermost step of a path."""
    return path.partition("[")[0].partition(".")[0]


def _warning(detail: RunDetail, stopped: str) -> str:
    effect = next((step.effect for step in detail.steps if step.path == stopped), None)
    if effect is not None and effect.state is EffectState.PARKED:
        return (
            f"Whether {effect.connection} took the write is not known, and the hub never guesses: "
            "it stops there again until somebody has found out."
        )
    if detail.run.reason in MEANT_OTHERWISE:
        return "Nothing is written beside what stands: it stops there again until that is confirmed, or taken back."
    return "Nothing that was written is written again."
