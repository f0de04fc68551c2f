"""What must hold on the way: acknowledged means durable, one run an event, in order, sent as recorded."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from hub.proof.evidence import Evidence, Run
from hub.proof.families import Families
from hub.proof.invariants import Finding, Invariant

#: What the hub keeps of a webhook that it could not read.
_UNREADABLE = "unreadable:"


def acknowledged_is_durable(evidence: Evidence, families: Families) -> Iterator[Finding]:
    """Every webhook that was answered 2xx is counted in the hub's records."""
    told = Counter(delivery.event for delivery in evidence.deliveries if delivery.acknowledged and not delivery.spoiled)
    kept = {event.external_id: event.deliveries for event in evidence.hub.events}
    for event, number in sorted(told.items()):
        if kept.get(event, 0) < number:
            yield Finding(
                invariant=Invariant.ACKNOWLEDGED_IS_DURABLE,
                family=families.of_event(event),
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


def one_run_per_event(evidence: Evidence, families: Families) -> Iterator[Finding]:
    """Each accepted event has exactly one original run of each flow that it starts."""
    original = Counter((run.event_id, run.flow) for run in evidence.hub.runs if run.replay_of is None)
    for event in evidence.hub.events:
        if event.state != "accepted":
            continue
        for flow in evidence.flows.get(event.type, ()):
            number = original[event.id, flow]
            if number != 1:
                yield Finding(
                    invariant=Invariant.ONE_RUN_PER_EVENT,
                    family=families.of_event(event.external_id),
                    detail=f"{event.external_id} ({event.type}) started {number} runs of {flow}",
                )


def order_per_key(evidence: Evidence, families: Families) -> Iterator[Finding]:
    """NetSuite accepted the payments of an invoice in the order in which the hub accepted their events."""
    accepted: dict[str, int] = {}
    for payment in sorted(evidence.erp_payments, key=lambda payment: payment.accepted):
        accepted.setdefault(payment.reference, payment.accepted)
    subjects = {event.id: event.subject for event in evidence.hub.events}
    by_key: dict[str, list[Run]] = defaultdict(list)
    for run in evidence.hub.runs:
        if run.replay_of is None and subjects.get(run.event_id) in accepted:
            by_key[run.flow + " " + run.key].append(run)
    for runs in by_key.values():
        runs.sort(key=lambda run: run.position)
        wanted = list(dict.fromkeys(subjects[run.event_id] for run in runs))
        came = sorted(wanted, key=lambda payment: accepted[payment])
        if wanted != came:
            yield Finding(
                invariant=Invariant.ORDER_PER_KEY,
                family=families.of_run(runs[0]),
                detail=f"the payments {', '.join(wanted)} reached the ERP as {', '.join(came)}",
            )


def recovery_resends_the_recorded_request(evidence: Evidence, families: Families) -> Iterator[Finding]:
    """All requests that a vendor saw for one write have the same body, byte for byte."""
    bodies: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    about: dict[tuple[str, str, str], str] = {}
    for write in evidence.writes:
        name = (write.vendor, write.address, write.marker)
        bodies[name].add(write.sha256)
        about[name] = families.of_write(write)
    for name, hashes in sorted(bodies.items()):
        if len(hashes) > 1:
            vendor, address, marker = name
            yield Finding(
                invariant=Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST,
                family=about[name],
                detail=f"{vendor} saw {len(hashes)} different bodies for {marker} at {address}",
            )
