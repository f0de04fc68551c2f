"""What must hold on the way: acknowledged means durable, one run an event, in order, sent as recorded."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from hub.proof.evidence import Evidence, Run, Write
from hub.proof.invariants import Finding, Invariant

#: What the hub keeps of a webhook that it could not read.
_UNREADABLE = "unreadable:"


def acknowledged_is_durable(evidence: Evidence) -> Iterator[Finding]:
    """Every event that was answered 2xx is counted in the hub's records."""
    told = Counter(delivery.event for delivery in evidence.deliveries if delivery.acknowledged and not delivery.spoiled)
    families = {delivery.event: delivery.family for delivery in evidence.deliveries}
    kept = {event.external_id: event.deliveries for event in evidence.hub.events}
    for event, number in sorted(told.items()):
        if kept.get(event, 0) < number:
            yield Finding(
                invariant=Invariant.ACKNOWLEDGED_IS_DURABLE,
                family=families[event],
                detail=f"{event} was acknowledged {number} times; the hub has {kept.get(event, 0)} deliveries of it",
            )
    spoiled = sum(delivery.acknowledged and delivery.spoiled for delivery in evidence.deliveries)
    unreadable = sum(number for event, number in kept.items() if event.startswith(_UNREADABLE))
    if unreadable < spoiled:
        yield Finding(
            invariant=Invariant.ACKNOWLEDGED_IS_DURABLE,
            family=None,
            detail=f"{spoiled} unreadable webhooks were acknowledged; the hub kept {unreadable}",
        )


def one_run_per_event(evidence: Evidence) -> Iterator[Finding]:
    """Each accepted event has exactly one original run of each flow that it starts.

    An event that a person edited has one replay of the run of another event instead.
    """
    events = {run.id: run.event_id for run in evidence.hub.runs}
    original = Counter(
        (run.event_id, run.flow)
        for run in evidence.hub.runs
        if run.replay_of is None or events.get(run.replay_of, run.event_id) != run.event_id
    )
    for event in evidence.hub.events:
        if event.state != "accepted":
            continue
        for flow in evidence.flows.get(event.type, ()):
            number = original[event.id, flow]
            if number != 1:
                yield Finding(
                    invariant=Invariant.ONE_RUN_PER_EVENT,
                    family=event.family,
                    detail=f"{event.external_id} ({event.type}) started {number} runs of {flow}",
                )


def order_per_key(evidence: Evidence) -> Iterator[Finding]:
    """A book accepted the documents of one key in the order in which the hub accepted their events."""
    subjects = {event.id: event.subject for event in evidence.hub.events}
    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in evidence.hub.runs:
        if run.replay_of is None:
            by_key[run.flow + " " + run.key].append(run)
    accepted: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for document in sorted(
        (document for document in evidence.documents if document.place is not None and document.subject is not None),
        key=lambda document: document.place or 0,
    ):
        accepted[document.book, document.kind].setdefault(document.subject or "", document.place or 0)
    for (book, kind), places in sorted(accepted.items()):
        for runs in by_key.values():
            there = [run for run in runs if subjects.get(run.event_id) in places]
            there.sort(key=lambda run: run.position)
            wanted = list(dict.fromkeys(subjects[run.event_id] for run in there))
            came = sorted(wanted, key=lambda subject: places[subject])
            if wanted != came:
                yield Finding(
                    invariant=Invariant.ORDER_PER_KEY,
                    family=there[0].family,
                    detail=f"{book} has {kind} of {', '.join(wanted)} in the order {', '.join(came)}",
                )


def recovery_resends_the_recorded_request(evidence: Evidence) -> Iterator[Finding]:
    """All requests that a target saw for one write have the same body, while it may have done one of them.

    Two recorded requests that were meant for different things are two writes, whatever name the target has for both.
    """
    last: dict[tuple[str, str, str], Write] = {}
    undecided: set[tuple[str, str, str]] = set()
    for write in evidence.writes:
        name = (write.book, write.address, write.marker)
        if write.afresh:
            undecided.discard(name)
        before = last.setdefault(name, write)
        if before.sha256 != write.sha256:
            if name in undecided and not (before.meant and write.meant and before.meant != write.meant):
                yield Finding(
                    invariant=Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST,
                    family=write.family,
                    detail=f"{write.book} saw different bodies for {write.marker} at {write.address}",
                )
            last[name] = write
        if write.settles:
            undecided.discard(name)
        elif not write.refused:
            undecided.add(name)
