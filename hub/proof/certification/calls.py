"""The trial of one operation under one fault: a real run makes the call, and the books say what became of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import func, select

from hub.audit.kinds import AuditKind
from hub.model.effect import EffectKey, Idempotency, effect_key
from hub.model.event import InboundEvent, Via
from hub.model.run import RunState, WaitKind
from hub.proof.certification.catalogue import ProviderFault, Where
from hub.proof.certification.flows import CONNECTION, STEP, event_type, of_call
from hub.proof.certification.judging import Ended
from hub.proof.certification.obstacles import NO_TOKENS, TOKENS, NotStruck, Trap, flawed, nameless, told, trap, warm_up
from hub.proof.certification.stand import ENVIRONMENT, PATIENCE, SHORT_PATIENCE, Stand, stand
from hub.sandbox.certificates import Flaw
from hub.sdk import exact_json
from hub.sdk.connector import Connector, ReadOperation, WriteOperation
from hub.sdk.testing.samples import ReadSample, Samples, WriteSample
from hub.sdk.testing.sending import Connected
from hub.store import history
from hub.store.tables import audit, runs
from hub.workspace.bundle import Bundle

_BUSINESS_KEY = "trial"
_FLAWS = {
    "certificate-expired": Flaw.EXPIRED,
    "certificate-other-host": Flaw.OTHER_HOST,
    "certificate-self-signed": Flaw.SELF_SIGNED,
}


def flow_of(connector: Connector, samples: Samples, sample: WriteSample | ReadSample) -> Bundle:
    """Compile the flow that makes the call of a sample."""
    operation = connector.operation(sample.operation)
    if operation is None:
        raise ValueError(f"{connector.name} has no operation {sample.operation}.")
    return of_call(connector, samples, operation, sample.input)


async def try_call(
    connector: Connector,
    samples: Samples,
    sample: WriteSample | ReadSample,
    bundle: Bundle,
    fault: ProviderFault | None,
) -> Ended:
    """Make the call of a sample under a fault (None: nothing goes wrong) and tell how it ended.

    `bundle` is what `flow_of` gives for the sample.

    Raises `NotStruck` where the fault cannot strike, and `Stuck` when the call does not come to an end.
    """
    operation = connector.operation(sample.operation)
    assert operation is not None, sample.operation
    patience = SHORT_PATIENCE if fault is not None and fault.hangs else PATIENCE
    skew = 0.0 if fault is None else fault.skew
    async with stand(connector, samples, bundle, patience=patience, skew=skew) as hub, AsyncExitStack() as stack:
        expected = await _prepare(hub, sample)
        elsewhere = await stack.enter_async_context(trap())
        if fault is not None:
            await _arrange(hub, operation, sample, fault, elsewhere, stack)
        event = InboundEvent(
            external_id=_BUSINESS_KEY,
            type=event_type(connector),
            occurred_at=hub.ambient.now(),
            data={"id": _BUSINESS_KEY, "input": dict(sample.input)},
        )
        await hub.intake.accept(CONNECTION, [event], Via.API)
        await hub.until(lambda: _has_ended(hub))
        mended = hub.account.paused is not None
        if mended:
            hub.sandbox.world.faults.replace([], keep_counts=True)
            hub.clock.put_right(skew)
            hub.connect(base_url=hub.sandbox.url)
            await hub.resume()
            await hub.until(lambda: _has_ended(hub))
        await hub.pass_by(3600)
        struck = hub.sandbox.world.faults.injected
        if fault is not None and fault.plan and not all(struck.get(entry["kind"]) for _, entry in fault.plan):
            raise NotStruck
        if fault is not None and fault.alters:
            # The vendor itself says something else now.
            expected = None
        return replace(_ended(hub, sample, expected), mended=mended, strayed=elsewhere.visitors)


async def _prepare(hub: Stand, sample: WriteSample | ReadSample) -> Any:
    """Write what the sample comes after, and read beforehand what a read must give."""
    connected = Connected(hub.connector, hub.beside)
    try:
        await _write_all(hub, connected, sample)
        await warm_up(hub)
        operation = hub.connector.operation(sample.operation)
        if isinstance(operation, ReadOperation):
            twice = [_as_recorded(await operation.read(connected, sample.input)) for _ in range(2)]
            return _steady(*twice)
        return None
    finally:
        await connected.close()


async def _write_all(hub: Stand, connected: Connected, sample: WriteSample | ReadSample) -> None:
    for place, other in enumerate(sample.after):
        await _write_all(hub, connected, other)
        operation = hub.connector.operation(other.operation)
        assert isinstance(operation, WriteOperation), other.operation
        await connected.write(operation, other.input, EffectKey(f"{place:032x}"))


async def _arrange(
    hub: Stand,
    operation: WriteOperation | ReadOperation,
    sample: WriteSample | ReadSample,
    fault: ProviderFault,
    elsewhere: Trap,
    stack: AsyncExitStack,
) -> None:
    """Put what goes wrong in its place."""
    if fault.name in _FLAWS:
        url = await stack.enter_async_context(flawed(hub, _FLAWS[fault.name]))
        hub.connect(base_url=url)
    elif fault.name == "name-unknown":
        stack.enter_context(nameless())
        hub.connect(base_url=f"http://localhost:{urlsplit(hub.sandbox.url).port}")
    elif fault.name == "sent-twice" and not _bears_repeats(operation):
        raise NotStruck
    places = _places(hub, operation, sample)
    plan = []
    for where, entry in fault.plan:
        if where not in places:
            raise NotStruck
        plan.append(told(hub, entry, places[where], elsewhere.url))
    hub.sandbox.world.faults.replace(plan)


def _bears_repeats(operation: WriteOperation | ReadOperation) -> bool:
    """Tell whether a write may reach the vendor twice, without anybody having looked in between."""
    kinds = (Idempotency.NATIVE, Idempotency.UPSERT)
    return isinstance(operation, WriteOperation) and operation.idempotency in kinds


def _places(
    hub: Stand, operation: WriteOperation | ReadOperation, sample: WriteSample | ReadSample
) -> Mapping[Where, Mapping[str, str]]:
    """Tell by what the call, its look and the token's request are known."""
    if isinstance(operation, ReadOperation):
        return {Where.CALL: NO_TOKENS, Where.TOKEN: TOKENS}
    settings = hub.account.settings
    key = effect_key(
        environment=ENVIRONMENT,
        connection=CONNECTION,
        operation=operation.name,
        business_key=_BUSINESS_KEY,
        path=STEP,
    )
    request = operation.request(settings, sample.input, key)
    places = {Where.CALL: _only(request.method, request.url), Where.TOKEN: TOKENS}
    look = None
    if operation.is_found:
        look = next(operation.search(settings, request, key))
    elif operation.guard is not None and operation.guard.look is not None:
        look = operation.guard.look.current(settings, request)
    if look is not None:
        places[Where.LOOK] = _only(look.method, look.url)
    return places


def _only(method: str, url: str) -> Mapping[str, str]:
    path = "".join(map(_either, unquote(urlsplit(url).path)))
    return {"method": method, "path": f"^{path}(\\?|$)"}


def _either(sign: str) -> str:
    """Match a sign of a path as it is or escaped: a client may write it otherwise than the connector did."""
    escaped = "".join(f"%{byte:02x}" for byte in sign.encode())
    return re.escape(sign) if sign.isalnum() and sign.isascii() else f"(?:{re.escape(sign)}|(?i:{escaped}))"


def _has_ended(hub: Stand) -> bool:
    with hub.database.reading() as reading:
        row = reading.execute(select(runs.c.state, runs.c.wait_kind)).one()
    paused = row.state == RunState.WAITING and row.wait_kind == WaitKind.CONNECTION
    return paused or row.state in (RunState.SUCCEEDED, RunState.PARKED, RunState.CANCELLED, RunState.COMPENSATED)


def _ended(hub: Stand, sample: WriteSample | ReadSample, expected: Any) -> Ended:
    with hub.database.reading() as reading:
        run = reading.execute(select(runs)).mappings().one()
        found = history.of_run(reading, run["id"])
        paused = select(func.count()).where(audit.c.kind == AuditKind.CONNECTION_PAUSED.value)
        pauses = reading.execute(paused).scalar_one()
    effect = next((row for row in found["effects"] if row["path"] == STEP), None)
    step = next((row for row in found["steps"] if row["path"] == STEP), None)
    told = effect if isinstance(sample, WriteSample) else step
    output = None if told is None or told["output"] is None else exact_json.loads(told["output"])
    return Ended(
        run=run["state"],
        reason=run["reason"],
        effect=None if effect is None else effect["state"],
        output=output,
        expected=expected,
        documents=sample.documents(hub.books()) if isinstance(sample, WriteSample) else None,
        cases=sum(case["state"] == "open" for case in found["cases"]),
        pauses=pauses,
        mended=False,
    )


def _as_recorded(record: Any) -> Any:
    """Give a record as the hub records it: as JSON."""
    return exact_json.loads(exact_json.dumps(record))


def _steady(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what is the same each time it is read: a vendor may give the moment, or a number of its own."""
    return {name: value for name, value in one.items() if name in other and other[name] == value}
