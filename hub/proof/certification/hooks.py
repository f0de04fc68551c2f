"""The trial of a webhook under one fault: signed as the vendor signs, brought to the real door, and counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from sqlalchemy import select

from hub.errors import UnreadableWebhook, WebhookRejected
from hub.intake.door import content_of, stored_data
from hub.model.event import EventState, InboundEvent
from hub.model.run import RunState
from hub.proof.certification.catalogue import ProviderFault, Verdict
from hub.proof.certification.flows import CONNECTION, of_triggers
from hub.proof.certification.judging import Harm, some
from hub.proof.certification.obstacles import NotStruck
from hub.proof.certification.stand import Stand, stand
from hub.sdk import exact_json
from hub.sdk.connector import Connector, Webhook
from hub.sdk.testing.samples import Samples, Signer, WebhookSample
from hub.store.tables import events, runs

#: What cannot strike where nothing is signed: a secret that is shown says nothing of a body or a time.
_OF_SIGNATURES = frozenset({"hook-stale", "hook-from-the-future", "hook-reformatted", "hook-cut"})
#: Beyond the tolerance by so many seconds.
_BEYOND = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a trial of webhooks left: events by id, those kept for a person, runs of each event, and refusals."""

    accepted: Mapping[str, int]
    kept: int
    runs: Mapping[str, int]
    unfinished: int
    refused: int


def judge_hooks(taken: Taken, expected: Sequence[str], verdict: Verdict) -> list[str]:
    """Tell in sentences what is wrong with what was taken; `expected` are the ids of the events that count."""
    wrong = []
    if verdict is Verdict.REFUSED:
        if not taken.refused:
            wrong.append("it was not refused")
        expected = ()
    elif taken.refused:
        wrong.append("a right delivery was refused")
    if verdict is Verdict.KEPT and taken.kept != 1:
        wrong.append(f"{taken.kept} were kept for a person, not one")
    if verdict is not Verdict.KEPT and taken.kept:
        wrong.append(f"{taken.kept} were kept for a person")
    lost = sorted(set(expected) - taken.accepted.keys())
    invented = sorted(taken.accepted.keys() - set(expected))
    doubled = sorted(id for id, count in {**taken.accepted, **taken.runs}.items() if count != 1)
    if lost:
        wrong.append(f"{Harm.LOST}: {some(lost)}")
    if invented:
        wrong.append(f"{Harm.WRONG_OUTCOME}: {some(invented)} was taken")
    if doubled:
        wrong.append(f"{Harm.DUPLICATE}: {some(doubled)}")
    if taken.runs.keys() != taken.accepted.keys():
        wrong.append("an event started no run, or a run has no event")
    if taken.unfinished:
        wrong.append(f"{taken.unfinished} runs did not succeed")
    return wrong


def fixture(connector: Connector, name: str) -> bytes:
    """Give a body out of the connector's `fixtures/`."""
    return files(connector.settings.__module__.rpartition(".")[0]).joinpath("fixtures", name).read_bytes()


async def try_webhook(
    connector: Connector, samples: Samples, sample: WebhookSample, fault: ProviderFault | None
) -> tuple[Taken, Sequence[str]]:
    """Deliver a sample under a fault (None: as it should be); gives what was taken, and the ids that should be.

    Raises `NotStruck` where the fault cannot strike.
    """
    webhook, signer = connector.webhook, samples.signer
    if webhook is None or signer is None:
        raise ValueError(f"{connector.name} has webhook samples, and no webhook or no signer.")
    body = fixture(connector, sample.fixture)
    others = [fixture(connector, other.fixture) for other in samples.webhooks if other.fixture != sample.fixture]
    known = [event for each in (body, *others) for event in webhook.parse(each)]
    async with stand(connector, samples, of_triggers(connector, [event.type for event in known])) as hub:
        trial = _Trial(hub, webhook, signer)
        expected = await trial.deliver("hook-once" if fault is None else fault.name, body, others)
        await hub.until(lambda: _all_ended(hub))
        return _taken(hub, trial.refused), expected


class _Trial:
    """Deliveries to one hub."""

    def __init__(self, hub: Stand, webhook: Webhook, signer: Signer) -> None:
        self._hub = hub
        self._webhook = webhook
        self._signer = signer
        self.refused = 0

    async def deliver(self, name: str, body: bytes, others: Sequence[bytes]) -> Sequence[str]:
        """Bring what the fault of this name brings; gives the ids of the events that must be taken."""
        if name == "hook-once":
            await self._take(self._sign(body), body)
        elif name == "hook-repeated":
            headers = self._sign(body)
            await asyncio.gather(*(self._take(headers, body) for _ in range(5)))
        elif name == "hook-replayed":
            await self._take(self._sign(body), body)
            await self._hub.pass_by(30 * 86_400)
            await self._take(self._sign(body), body)
        elif name == "hook-disordered":
            return await self._disordered(body, others)
        elif name == "hook-contradicted":
            await self._take(self._sign(body), body)
            other = self._altered(body, same_content=False)
            await self._take(self._sign(other), other)
        elif name == "hook-added-field":
            body = self._altered(body, same_content=None)
            await self._take(self._sign(body), body)
        elif name in _OF_SIGNATURES and not self._signer.signs:
            raise NotStruck
        else:
            headers, body = self._spoilt(name, body)
            await self._take(headers, body)
            return ()
        return self._ids(body)

    async def _disordered(self, body: bytes, others: Sequence[bytes]) -> Sequence[str]:
        if not others:
            raise NotStruck
        bodies = [*reversed(others), body]
        for each in bodies:
            await self._take(self._sign(each), each)
        return list(dict.fromkeys(id for each in bodies for id in self._ids(each)))

    def _spoilt(self, name: str, body: bytes) -> tuple[Mapping[str, str], bytes]:
        """Give headers and body of a delivery of which nothing may be taken."""
        beyond = timedelta(seconds=self._signer.tolerance + _BEYOND)
        now, half = self._hub.ambient.now(), body[: len(body) // 2]
        made: Mapping[str, Callable[[], tuple[Mapping[str, str], bytes]]] = {
            "hook-unsigned": lambda: ({}, body),
            "hook-badly-signed": lambda: (self._sign(body, secret=self._signer.other_secret), body),
            "hook-stale": lambda: (self._sign(body, at=now - beyond), body),
            "hook-from-the-future": lambda: (self._sign(body, at=now + beyond), body),
            "hook-reformatted": lambda: (self._sign(body), exact_json.dumps(exact_json.loads(body)) + b"\n"),
            "hook-cut": lambda: (self._sign(body), half),
            "hook-cut-and-signed": lambda: (self._sign(half), half),
        }
        return made[name]()

    async def _take(self, headers: Mapping[str, str], body: bytes) -> None:
        try:
            await self._hub.intake.webhook(CONNECTION, headers, body)
        except WebhookRejected:
            self.refused += 1

    def _sign(self, body: bytes, *, at: datetime | None = None, secret: str | None = None) -> Mapping[str, str]:
        own = getattr(self._hub.account.settings, self._signer.secret).get_secret_value()
        signed = self._signer.sign(secret or own, body, at or self._hub.ambient.now())
        return {name.lower(): value for name, value in signed.items()}

    def _ids(self, body: bytes) -> list[str]:
        return [event.external_id for event in self._webhook.parse(body)]

    def _altered(self, body: bytes, *, same_content: bool | None) -> bytes:
        """Add a field somewhere so that the body still gives the same events (with other content, if that is wanted).

        Raises `NotStruck` where there is no such place.
        """
        before = self._contents(self._webhook.parse(body))
        for value in _with_added(exact_json.loads(body)):
            altered = exact_json.dumps(value)
            try:
                after = self._contents(self._webhook.parse(altered))
            except UnreadableWebhook:
                continue
            if after.keys() == before.keys() and (same_content is None or (after == before) is same_content):
                return altered
        raise NotStruck

    def _contents(self, found: Sequence[InboundEvent]) -> Mapping[str, str]:
        return {event.external_id: content_of(stored_data(event)[0]) for event in found}


def _with_added(value: Any) -> Iterator[Any]:
    """Give the document again and again, each time with a new field in another of its objects."""
    for path in _objects(value, ()):
        copy = deepcopy(value)
        place = copy
        for name in path:
            place = place[name]
        place["added_by_a_later_release"] = "2031"
        yield copy


def _objects(value: Any, above: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield above
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from _objects(part, (*above, name))


def _all_ended(hub: Stand) -> bool:
    with hub.database.reading() as reading:
        states = reading.execute(select(runs.c.state)).scalars().all()
    return all(state in (RunState.SUCCEEDED, RunState.PARKED) for state in states)


def _taken(hub: Stand, refused: int) -> Taken:
    with hub.database.reading() as reading:
        found = reading.execute(select(events.c.id, events.c.external_id, events.c.state)).all()
        started = reading.execute(select(runs.c.event_id, runs.c.state)).all()
    ids = {row.id: row.external_id for row in found}
    accepted = Counter(row.external_id for row in found if row.state == EventState.ACCEPTED)
    return Taken(
        accepted=accepted,
        kept=sum(row.state in (EventState.REJECTED, EventState.QUARANTINED) for row in found),
        runs=Counter(ids[row.event_id] for row in started),
        unfinished=sum(row.state != RunState.SUCCEEDED for row in started),
        refused=refused,
    )
