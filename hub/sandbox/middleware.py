"""What stands before every vendor application: the request log and the faults."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from hub.sandbox.evolving import evolved
from hub.sandbox.faults import AFTER_COMMIT, INSTEAD, REFUSALS, SENT_APART, SPOILT, Fault
from hub.sandbox.problem import Problem
from hub.sandbox.request_log import Entry
from hub.sandbox.spoilt import in_place_of, spoil
from hub.sandbox.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Render = Callable[[Problem], web.Response]

#: An answer that never comes is given up after this many seconds.
WITHHELD = 60.0


def gate(world: World, render: Render) -> Any:
    """Make the outermost middleware: log each request, and let the fault plan have its way with it."""

    @web.middleware
    async def stand(request: web.Request, handler: Handler) -> web.StreamResponse:
        body = await request.read()
        entry = world.requests.begin(method=request.method, path=request.path_qs, body=body)
        fault = world.faults.choose(
            method=request.method, path=request.path_qs, body=body, identity=_identity(request, body)
        )
        try:
            answer = await (
                _execute(request, handler, entry, world, render)
                if fault is None
                else _suffer(request, handler, entry, fault, world, render)
            )
            entry.replied = request.transport is not None and not request.transport.is_closing()
            return answer
        finally:
            world.requests.end(entry, request)

    return stand


def cut(request: web.Request) -> None:
    """Break the TCP connection with a reset: what is not yet sent is lost, and the caller learns nothing more."""
    transport = request.transport
    if transport is None:
        return
    endpoint = transport.get_extra_info("socket")
    if endpoint is not None:
        # A linger of zero seconds turns the close into a reset; event loops hide the real socket, its number they give.
        with socket.socket(fileno=os.dup(endpoint.fileno())) as bare:
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _execute(
    request: web.Request, handler: Handler, entry: Entry, world: World, render: Render
) -> web.StreamResponse:
    try:
        answer = evolved(world.changes, request, await handler(request))
    except web.HTTPException as error:
        entry.status = error.status
        raise
    except Exception as error:  # whatever breaks in a vendor is a 500 in the vendor's words
        request.app.logger.exception("the sandbox failed at %s %s", request.method, request.path)
        answer = render(Problem(status=500, reason="crash", detail=repr(error)))
    entry.status = answer.status
    return answer


async def _suffer(
    request: web.Request, handler: Handler, entry: Entry, fault: Fault, world: World, render: Render
) -> web.StreamResponse:
    if fault.kind in AFTER_COMMIT:
        answer = await _execute(request, handler, entry, world, render)
        if answer.status >= 400:
            return answer  # Nothing was committed, so there is nothing to keep quiet about.
        _strike(world, entry, fault)
        if fault.kind == "500_after_commit":
            return render(Problem(status=500, reason="fault", detail="The answer was lost."))
        if fault.kind == "timeout_after_commit":
            await _until_gone(request)
        cut(request)
        return answer
    if fault.kind == "twice":
        answer = await _execute(request, handler, entry, world, render)
        _strike(world, entry, fault)
        await _execute(request, handler, entry, world, render)
        return answer
    if fault.kind in SPOILT:
        answer = await _execute(request, handler, entry, world, render)
        if fault.kind in SENT_APART and answer.status < 400:
            # Who gave up listening may go on long before the last of it was sent.
            _strike(world, entry, fault)
            return await spoil(fault.kind, request, answer, world.names) or answer
        changed = None if answer.status >= 400 else await spoil(fault.kind, request, answer, world.names)
        if changed is None:
            return answer  # Nothing in it can be spoilt in this way.
        _strike(world, entry, fault)
        return changed
    if fault.kind == "sticky_500":
        entry.fault = fault.kind
        return render(Problem(status=500, reason="fault", detail="The answer to this request is kept."))
    _strike(world, entry, fault)
    if fault.kind == "late_commit":
        return await _late(request, handler, entry, fault, world, render)
    if fault.kind in INSTEAD:
        return in_place_of(fault.kind, to=fault.to)
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
        return await _execute(request, handler, entry, world, render)
    if fault.kind == "reset_before" or (fault.kind == "outage" and _resets(fault, world)):
        cut(request)
        return web.Response(status=503)
    status = int(fault.kind) if fault.kind in REFUSALS else 503
    detail = "Too many requests." if status == 429 else "The service is not available."
    return render(Problem(status=status, reason="fault", detail=detail, retry_after=fault.retry_after))


def _strike(world: World, entry: Entry, fault: Fault) -> None:
    entry.fault = fault.kind
    world.faults.strike(fault)


def _resets(fault: Fault, world: World) -> bool:
    return fault.answer == "reset" or (fault.answer == "mixed" and world.faults.toss())


async def _until_gone(request: web.Request) -> None:
    loop = asyncio.get_running_loop()
    ends = loop.time() + WITHHELD
    while loop.time() < ends:
        transport = request.transport
        if transport is None or transport.is_closing():
            return
        await asyncio.sleep(0.05)


async def _late(
    request: web.Request, handler: Handler, entry: Entry, fault: Fault, world: World, render: Render
) -> web.StreamResponse:
    """Let the caller down at once, and execute the request when its time has come: it was only slow."""
    due = world.clock.monotonic() + fault.seconds
    cut(request)
    world.late.append(due)
    try:
        while world.clock.monotonic() < due:
            await asyncio.sleep(0.005)
        return await _execute(request, handler, entry, world, render)
    finally:
        world.late.remove(due)


def _identity(request: web.Request, body: bytes) -> str:
    """Tell a repeated request from a new one: by its idempotency key where it has one, else by all that it says."""
    key = request.headers.get("Idempotency-Key")
    if key is not None:
        return f"key {key}"
    return f"{request.method} {request.path_qs} {hashlib.sha256(body).hexdigest()}"
