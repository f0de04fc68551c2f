"""Certifies connectors: each operation, webhook, stream and listing of theirs under every fault that applies to it."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import structlog

from hub.connections.registry import load_connectors
from hub.errors import HubError, NotFound
from hub.proof.certification.calls import flow_of, try_call
from hub.proof.certification.catalogue import FAULTS, ProviderFault, Side, Verdict
from hub.proof.certification.hooks import judge_hooks, try_webhook
from hub.proof.certification.judging import Ended, judge, judge_listing, judge_read
from hub.proof.certification.listings import places_of, try_listing
from hub.proof.certification.obstacles import NotStruck
from hub.proof.certification.readings import try_stream
from hub.proof.certification.stand import Stuck
from hub.proof.certification.workers import each
from hub.sdk.connector import Connector, WriteOperation
from hub.sdk.testing.samples import ListingSample, ReadSample, Samples, WebhookSample, WriteSample
from hub.workspace.bundle import Bundle

#: What stands for the fault where nothing goes wrong.
NOTHING = "nothing"


class State(StrEnum):
    """What a trial showed."""

    HOLDS = "holds"
    BROKEN = "broken"
    #: The fault could not strike, so that nothing was shown.
    NOT_STRUCK = "not-struck"
    #: It does not hold, and the samples say why that cannot be.
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing that is tried: an operation's sample, a webhook's, a listing's, or a stream; `number` is its place."""

    connector: str
    side: Side
    name: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One subject under one fault; `told` are sentences on what is wrong, or why it is exempt."""

    subject: Subject
    fault: str
    state: State
    told: Sequence[str] = ()
    seconds: float = 0.0


def samples_of(connector: Connector) -> Samples:
    """Give the samples in a connector's package; `NotFound` where it has none."""
    package = connector.settings.__module__.rpartition(".")[0]
    try:
        found = importlib.import_module(f"{package}.samples").SAMPLES
    except (ModuleNotFoundError, AttributeError):
        found = None
    if not isinstance(found, Samples):
        raise NotFound(
            f"The connector {connector.name} has no samples to be tried with: `SAMPLES` in {package}/samples.py.",
            code="no-samples",
            connector=connector.name,
        )
    return found


def subjects_of(connector: Connector, samples: Samples) -> list[Subject]:
    """List everything that is to be tried, also what has no sample (`number` is then -1)."""
    make = partial(Subject, connector=connector.name)
    found = [
        *(make(side=Side.WRITE, name=one.operation, number=place) for place, one in enumerate(samples.writes)),
        *(make(side=Side.READ, name=one.operation, number=place) for place, one in enumerate(samples.reads)),
        *(make(side=Side.WEBHOOK, name=one.fixture, number=place) for place, one in enumerate(samples.webhooks)),
        *(make(side=Side.STREAM, name=one.name, number=place) for place, one in enumerate(connector.streams)),
        *(make(side=Side.LISTING, name=one.listing, number=place) for place, one in enumerate(samples.listings)),
    ]
    sampled = {one.name for one in found}
    for operation in connector.operations:
        if operation.name not in sampled:
            side = Side.WRITE if isinstance(operation, WriteOperation) else Side.READ
            found.append(make(side=side, name=operation.name, number=-1))
    if connector.webhook is not None and not samples.webhooks:
        found.append(make(side=Side.WEBHOOK, name="webhook", number=-1))
    shown = {one.listing for one in samples.listings}
    found += [make(side=Side.LISTING, name=one.name, number=-1) for one in connector.listings if one.name not in shown]
    return found


def faults_of(side: Side, only: Collection[str] = ()) -> list[ProviderFault]:
    """List the faults that apply to one side; with `only`, just those of them."""
    return [fault for fault in FAULTS if side in fault.sides and (not only or fault.name in only)]


Begins = Callable[[str], None]


async def try_subject(
    connector: Connector,
    samples: Samples,
    subject: Subject,
    faults: Sequence[ProviderFault],
    begins: Begins = lambda _fault: None,
) -> list[Trial]:
    """Try a subject without any fault, and if that holds under each of these, one after the other.

    `begins` is told the name of each before it is tried.
    """
    if subject.number < 0:
        told = (f"{subject.name} has no sample, so that nothing is known of it",)
        return [Trial(subject=subject, fault=NOTHING, state=State.BROKEN, told=told)]
    attempt = _attempt(connector, samples, subject)
    begins(NOTHING)
    trials = [await _try(subject, None, attempt, {})]
    if trials[0].state is State.HOLDS:
        exempt = samples.exempt.get(subject.name, {})
        for fault in faults:
            begins(fault.name)
            trials.append(await _try(subject, fault, attempt, exempt))
    return trials


Attempt = Callable[[ProviderFault | None], Awaitable[list[str]]]


def _attempt(connector: Connector, samples: Samples, subject: Subject) -> Attempt:
    """Give what tries a subject under a fault and tells what is wrong then."""
    match subject.side:
        case Side.WRITE:
            return _Calls(connector, samples, samples.writes[subject.number])
        case Side.READ:
            return _Calls(connector, samples, samples.reads[subject.number])
        case Side.WEBHOOK:
            return partial(_hook, connector, samples, samples.webhooks[subject.number])
        case Side.STREAM:
            return partial(_stream, connector, samples, subject.number)
        case Side.LISTING:
            return partial(_listing, connector, samples, samples.listings[subject.number])


class _Calls:
    """Tries one operation; what its write gives when nothing goes wrong is what it must always give."""

    def __init__(self, connector: Connector, samples: Samples, sample: WriteSample | ReadSample) -> None:
        self._connector = connector
        self._samples = samples
        self._sample = sample
        self._right: Ended | None = None
        self._bundle: Bundle | None = None

    async def __call__(self, fault: ProviderFault | None) -> list[str]:
        self._bundle = self._bundle or flow_of(self._connector, self._samples, self._sample)
        ended = await try_call(self._connector, self._samples, self._sample, self._bundle, fault)
        operation = self._connector.operation(self._sample.operation)
        if isinstance(operation, WriteOperation):
            if fault is None:
                self._right = ended
            ended = replace(ended, expected=None if self._right is None else self._right.output)
            wrong = judge(ended, Verdict.DONE if fault is None else fault.verdict, operation.idempotency)
            if fault is None and ended.documents != 1:
                wrong.append(f"the books have it {ended.documents} times although nothing went wrong")
            return wrong
        return judge(ended, Verdict.DONE if fault is None else fault.verdict, None)


async def _hook(
    connector: Connector, samples: Samples, sample: WebhookSample, fault: ProviderFault | None
) -> list[str]:
    taken, expected = await try_webhook(connector, samples, sample, fault)
    return judge_hooks(taken, expected, Verdict.DONE if fault is None else fault.verdict)


async def _stream(connector: Connector, samples: Samples, number: int, fault: ProviderFault | None) -> list[str]:
    read = await try_stream(connector, samples, connector.streams[number], fault)
    return judge_read(read, Verdict.DONE if fault is None else fault.verdict)


async def _listing(
    connector: Connector, samples: Samples, sample: ListingSample, fault: ProviderFault | None
) -> list[str]:
    wrong: list[str] = []
    missed, places = 0, places_of(fault)
    for place in places:
        try:
            listed = await try_listing(connector, samples, sample, fault, place)
        except NotStruck:
            missed += 1
            if missed == len(places) or (fault is not None and not fault.conditional):
                raise
            continue
        told = judge_listing(listed, Verdict.DONE if fault is None else fault.verdict)
        wrong += [f"{sentence} (it struck {place})" for sentence in told] if len(places) > 1 else told
    return wrong


async def _try(subject: Subject, fault: ProviderFault | None, attempt: Attempt, exempt: Mapping[str, str]) -> Trial:
    name = NOTHING if fault is None else fault.name
    began = time.perf_counter()
    try:
        wrong = await attempt(fault)
    except NotStruck:
        if fault is not None and fault.conditional:
            return Trial(subject=subject, fault=name, state=State.NOT_STRUCK, seconds=time.perf_counter() - began)
        wrong = ["the fault never struck, so that nothing is shown"]
    except Stuck:
        wrong = ["it does not come to an end"]
    except (HubError, ValueError) as error:
        wrong = [f"it cannot be tried: {error}"]
    except Exception as error:  # noqa: BLE001 - whatever a connector's own code raises is what is wrong with it
        wrong = [f"it broke: {type(error).__name__}: {error}"[:300]]
    seconds = time.perf_counter() - began
    reason = exempt.get(name)
    if reason is not None:
        if wrong:
            return Trial(subject=subject, fault=name, state=State.EXEMPT, told=(reason,), seconds=seconds)
        wrong = ["it is exempt, and it holds: take the exemption away"]
    state = State.BROKEN if wrong else State.HOLDS
    return Trial(subject=subject, fault=name, state=state, told=tuple(wrong), seconds=seconds)


def planned(
    connectors: Sequence[Connector], *, faults: Collection[str] = (), names: Collection[str] = ()
) -> list[Subject]:
    """List what of these connectors is tried: everything, or what is so named and meets one of these faults.

    Raises `NotFound` for a fault or a name that there is not, and for a connector without samples.
    """
    unknown = sorted(set(faults) - {fault.name for fault in FAULTS})
    if unknown:
        raise NotFound("There is no such fault.", code="unknown-fault", fault=unknown[0])
    subjects = [subject for each in connectors for subject in subjects_of(each, samples_of(each))]
    nameless = sorted(set(names) - {subject.name for subject in subjects})
    if nameless:
        raise NotFound(
            "There is no such operation, webhook, stream or listing.", code="unknown-operation", name=nameless[0]
        )
    return [
        subject
        for subject in subjects
        if (not names or subject.name in names) and (not faults or faults_of(subject.side, faults))
    ]


def certify(subjects: Sequence[Subject], *, jobs: int = 1, faults: Collection[str] = ()) -> Iterator[list[Trial]]:
    """Try things of installed connectors, `jobs` at a time; gives the trials of each as soon as it is done.

    With `faults`, each is tried under those alone. Raises `WorkerDied`, whose task is a subject and whose part is the
    fault, when one of several processes ends in the middle of a trial.
    """
    if jobs <= 1:
        for subject in subjects:
            yield try_one(subject, lambda _fault: None, faults=faults)
        return
    yield from each(partial(try_one, faults=tuple(faults)), subjects, jobs)


def try_one(subject: Subject, begins: Begins, *, faults: Collection[str] = ()) -> list[Trial]:
    """Try one thing of an installed connector in an event loop of its own; see `try_subject` for `begins`."""
    connector = load_connectors().connector(subject.connector)
    chosen = faults_of(subject.side, faults)
    with _silence():
        return asyncio.run(try_subject(connector, samples_of(connector), subject, chosen, begins))


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the log quiet: what goes wrong on purpose is told by the trial."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
