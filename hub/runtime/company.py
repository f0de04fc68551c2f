"""The processes that share the data of a hub, as one of them tells of all."""

from __future__ import annotations

from collections.abc import Iterator

from hub.api.health import version
from hub.queries import workers
from hub.queries.checkup import Finding, ok, warn
from hub.queries.workers import WorkerLine
from hub.runtime.composition import Hub
from hub.runtime.roles import Role, named


def workers_of(hub: Hub, *, ended: bool = False) -> tuple[tuple[WorkerLine, ...], bool]:
    """List the workers, and say whether several processes may share the data; one that is alone tells of itself."""
    environment, shared = hub.environment.name, hub.sharing.shared
    with hub.database.reading() as connection:
        if shared:
            return workers.listing(connection, environment=environment, ended=ended), shared
        mine = workers.hands(connection, environment=environment).get(hub.working.name, 0)
    alone = WorkerLine(
        id=hub.working.name,
        roles=named(hub.settings.roles),
        version=version(),
        state=workers.LIVES,
        leads=True,
        runs=mine,
        lease=None,
        started_at=hub.incoming.pulse.started_at,
        heartbeat_at=None,
        ended_at=None,
    )
    return (alone,), shared


def examined(hub: Hub) -> Iterator[Finding]:
    """Give what a doctor has to say of the processes that share the data; nothing of one that is alone."""
    lines, shared = workers_of(hub)
    if not shared:
        return
    living = [line for line in lines if line.state == workers.LIVES]
    silent = [line.id for line in lines if line.state == workers.SILENT]
    versions = sorted({line.version for line in living})
    told = f"{len(living)} live, of version {' and '.join(versions)}"
    if silent:
        advice = "Their runs are taken back by the others within a lease; look at the machines they ran on."
        yield warn("workers", f"{told}; not heard of: {', '.join(silent)}", advice)
        return
    for role, lost in ((Role.WORKER, "runs are not gone through"), (Role.SCHEDULER, "schedules and streams rest")):
        if not any(role in line.roles.split(",") for line in living):
            yield warn("workers", f"{told}; none has the role {role}: {lost}", f"Start one with --roles {role}.")
            return
    yield ok("workers", told + ("" if len(versions) == 1 else " (an upgrade is under way)"))
