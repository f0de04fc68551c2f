"""Steps of a flow in words: what each does in a sentence, its object in a word, and the conditions around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hub.model.flow import (
    Approve,
    Arm,
    Branch,
    Call,
    Decide,
    Emit,
    Equal,
    Failures,
    Flow,
    Foreach,
    Link,
    Lookup,
    Map,
    Match,
    OnFailure,
    Parallel,
    Step,
    Subflow,
    Term,
    Wait,
)

_ON_FAILURE = {
    OnFailure.PARK: "When it fails for good, the run stops for a person.",
    OnFailure.CONTINUE: "When it fails for good, the flow goes on without it.",
    OnFailure.COMPENSATE: "When it fails for good, what was done is taken back.",
}


#: Whose id a look-up wants, beside that of the thing itself.
_ABOVE = {"parent": "what stands straight above ", "top": "what stands at the top above "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What starts a flow: of which kind that is, in a few words, and in a sentence."""

    kind: str
    title: str
    subtitle: str
    sentence: str


def start_of(flow: Flow) -> Start:
    """Say what starts a flow: an event, times, or another flow."""
    schedule = flow.schedule
    if schedule is not None:
        times = schedule.cron or (span(schedule.every) if schedule.every is not None else "")
        told = f"at the times {schedule.cron}" if schedule.cron else f"every {times}"
        sentence = f"By itself {told}, in the time zone {schedule.zone}"
        return Start(kind="schedule", title="schedule", subtitle=times, sentence=sentence)
    if flow.called is not None:
        sentence = f"By steps of other flows, with a record of {flow.called}"
        return Start(kind="called", title="called", subtitle=flow.called, sentence=sentence)
    source, _, what = flow.event.partition(".")
    if not flow.further_events:
        return Start(kind="event", title=source, subtitle=what, sentence=f"With the event {flow.event}")
    told = f"With one of the events {', '.join(flow.events)}"
    return Start(kind="event", title=source, subtitle=f"{what} …", sentence=told)


def kind_of(step: Step) -> str:
    """Give the kind of a step in one word, as it stands in the history."""
    return type(step.action).__name__.lower()


def subject_of(step: Step) -> str:
    """Give what a step is about, in a word or two."""
    match step.action:
        case Map(mapping=mapping):
            return mapping
        case Decide(policy=policy) | Approve(policy=policy) | Match(policy=policy):
            return policy
        case Lookup(crossref=crossref):
            return f"{crossref} crossref"
        case Call(operation=operation):
            return operation
        case Link(entity=entity):
            return f"{entity} ids"
        case Wait():
            return _awaited(step.action)
        case Foreach(each=each):
            return f"each of {each.text}"
        case Branch(arms=arms):
            return " or ".join(arm.name for arm in arms)
        case Parallel():
            return "at the same time"
        case Emit(type=type):
            return type.removeprefix("concord.")
        case Subflow(flow=flow):
            return flow


def sentence_of(step: Step, on: str | None = None) -> str:
    """Say what a step does; a call of a connection whose name is known by now names it (`on`)."""
    match step.action:
        case Map(mapping=mapping, of=of):
            return f"Map {_text(of, 'the record')} with {mapping}."
        case Decide(policy=policy):
            return f"Ask the policy {policy}."
        case Lookup(crossref=crossref, system=system, id=id, want=want, above=above):
            whose = "" if above is None else _ABOVE[above]
            return f"Find the {want.text} id of {whose}{system.text} {crossref} {id.text}."
        case Match(policy=policy, of=of, system=system, id=id, unless=unless):
            what = f"{_text(of, 'the record')}, which is {system.text} {id.text}"
            waits = "" if unless is None else f", and wait for a person unless {unless.text}"
            return f"Compare {what}, with others by the policy {policy}{waits}."
        case Call():
            return _call(step.action, on)
        case Link(entity=entity, ids=ids, parent=parent):
            below = "" if parent is None else f", below what {parent[0].text} calls {parent[1].text}"
            return f"Tie the ids of one {entity} together: {', '.join(system.text for system, _ in ids)}{below}."
        case Approve(policy=policy, of=of):
            return f"Wait until as many people approve {_text(of, 'the record')} as the policy {policy} asks for."
        case Wait():
            return f"Wait {_wait(step.action)}."
        case Foreach() | Branch() | Parallel() | Emit() | Subflow():
            return _composed(step.action)


def _composed(action: Foreach | Branch | Parallel | Emit | Subflow) -> str:
    match action:
        case Foreach(each=each, name=name, by=by, concurrency=concurrency):
            called = "" if by is None else f", named by {by.text}"
            hands = "" if concurrency == 1 else f", {concurrency} at a time"
            return f"For each {name} of {each.text}{called}{hands}:"
        case Branch():
            return "Take the first way that is right:"
        case Parallel():
            return "At the same time:"
        case Emit(type=type, subject=subject, of=of):
            about = "" if subject is None else f" about {subject.text}"
            return f"Tell the event {type}{about}, with {_text(of, 'the record')}."
        case Subflow(flow=flow, of=of):
            return f"Run the flow {flow} for {_text(of, 'the record')}, and wait for its end."


def conditions_of(step: Step) -> list[str]:
    """Say when a step is done, what must hold, and what follows when it does not."""
    found = []
    if step.when is not None:
        found.append(f"Only when {step.when.text}.")
    if step.needs:
        found.append(f"After {_listed(step.needs)}.")
    match step.expect:
        case Equal(left=left, right=right, case=case):
            found.append(f"{left.text} must equal {right.text}, or it becomes the exception {case}.")
        case None:
            pass
        case same:
            names = ", ".join(name for name, _ in same.fields)
            found.append(f"Must agree with {same.other.text} in {names}, or it becomes the exception {same.case}.")
    if step.missing is not None:
        wait = f"waits up to {span(step.missing.wait)}, then it" if step.missing.wait else "it"
        found.append(f"When nothing is found, {wait} becomes the exception {step.missing.case}.")
    if isinstance(step.action, Call) and step.action.undo:
        found.append(f"Can be taken back with {step.action.undo.operation}.")
    if step.retry is not None:
        found.append(f"Retried by the policy {step.retry}.")
    if step.timeout is not None:
        found.append(f"Takes {span(step.timeout)} at the longest.")
    found += _of_items(step)
    if step.on_failure is not None:
        found.append(_ON_FAILURE[step.on_failure])
    return found


def _of_items(step: Step) -> list[str]:
    match step.action:
        case Foreach(failures=failures, collect=collect):
            kept = [] if collect is None else [f"Keeps {collect.text} of each."]
            return [*kept, _failures(failures)]
        case Call(each=each, failures=failures) if each is not None:
            return [_failures(failures)]
        case _:
            return []


def _failures(failures: Failures) -> str:
    after = "the flow goes on without them" if failures is Failures.CONTINUE else "the run stops for a person"
    return f"Items that fail stop no other; after the last one {after}."


def until_told(arm: Arm) -> str:
    """Say when an arm is taken."""
    return "otherwise" if arm.when is None else f"when {arm.when.text}"


def span(time: timedelta) -> str:
    """Give a span of time in words."""
    seconds = int(time.total_seconds())
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {name}{'' if seconds == size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _call(call: Call, on: str | None) -> str:
    given = ""
    if call.each is not None and call.item is not None:
        given = f" with {call.shape} for each of {call.each.text}, named by {call.item.text}"
    elif call.shape:
        given = f" with {call.shape} of {_text(call.of, 'the record')}"
    elif call.by:
        given = f" by {call.by.text}"
    return f"Call {call.operation} on {on or call.connection.text}{given}."


def _wait(wait: Wait) -> str:
    if wait.duration is not None:
        return f"for {span(wait.duration)}"
    if wait.until is not None:
        return f"until {wait.until.text}"
    longest = (
        f", {span(wait.timeout)} at the longest; then it becomes the exception {wait.case}" if wait.timeout else ""
    )
    return f"for the event {wait.event} about {_text(wait.subject, 'anything')}{longest}"


def _awaited(wait: Wait) -> str:
    if wait.duration is not None:
        return span(wait.duration)
    return wait.event or f"until {_text(wait.until, '')}"


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _text(term: Term | None, otherwise: str) -> str:
    return otherwise if term is None else term.text
