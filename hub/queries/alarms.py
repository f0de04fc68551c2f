"""Alarms: what should have happened and has not, told from what is recorded and not by who should have done it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, select

from hub.connections.accounts import Account
from hub.model.ambient import of_micros
from hub.model.flow import Schedule
from hub.model.pulse import Pulse
from hub.model.run import RunState
from hub.queries.view import View, moment
from hub.store import alarms as stored
from hub.store import leases, schedules, secrets, streams
from hub.store.control_tables import firings
from hub.store.retention import KEPT_FIRINGS
from hub.store.tables import runs
from hub.workspace.bundle import Bundle
from hub.workspace.polling import Plan, plan_of

#: How long after its moment a firing may begin before somebody is alarmed.
LATEST = timedelta(minutes=2)
#: A work of the hub's own that is to be done every few seconds has stopped after this time.
STOPPED_AFTER = 60.0
#: So long before credentials end somebody is alarmed: new ones may take people at two companies.
WARNED_BEFORE = timedelta(days=30)
#: The last success is looked for among so many firings; they are never pruned.
LOOKED_AT = KEPT_FIRINGS


class AlarmKind(StrEnum):
    """What has not happened; the runbook of each has its name."""

    SCHEDULE_OVERDUE = "schedule-overdue"
    SCHEDULE_WITHOUT_SUCCESS = "schedule-without-success"
    STREAM_SILENT = "stream-silent"
    STREAM_GAP = "stream-gap"
    TICKS_STOPPED = "ticks-stopped"
    CREDENTIALS_ENDING = "credentials-ending"
    SECRET_OLD = "secret-old"
    REVISION_NOT_UNDERSTOOD = "revision-not-understood"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm: of what (a flow, `connection/stream`, a work of the hub), since when, and a sentence.

    `told_at` is when it was raised and audited; None while that is still to come. `runbook` is what to do.
    """

    kind: AlarmKind
    subject: str
    since: datetime
    detail: str
    told_at: datetime | None = None
    runbook: str = field(init=False)

    def __post_init__(self) -> None:
        """Name the runbook."""
        object.__setattr__(self, "runbook", f"docs/runbooks/{self.kind.value}.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is watched beside the records: the revision that serves, its accounts, the hub's own pulse.

    `every` is the interval of streams whose file names none.
    """

    bundle: Callable[[], Bundle]
    accounts: Mapping[str, Account]
    pulse: Pulse
    every: timedelta


def listing(view: View, watched: Watched) -> tuple[Alarm, ...]:
    """Give all alarms as they stand now, the oldest first."""
    now, bundle = view.now(), watched.bundle()
    with view.database.reading() as connection:
        rows = schedules.listing(connection, environment=view.environment)
        read = streams.listing(connection, environment=view.environment)
        told = stored.listing(connection, environment=view.environment)
        found = [*of_ticks(watched.pulse, now)]
        kept = {
            row["name"]: of_micros(row["created_at"])
            for row in secrets.listing(connection, environment=view.environment)
        }
        if connection.dialect.name != "sqlite":
            found += of_revisions(left_by_all(connection, view.environment), now)
        for name, flow in sorted(bundle.flows.items()):
            if flow.schedule is not None and name in rows:
                success = last_success(connection, environment=view.environment, flow=name)
                found += of_schedule(name, flow.schedule, rows[name], success, now)
    environment = bundle.environments.get(view.environment)
    for name, account in sorted(watched.accounts.items()):
        found += of_credentials(name, account.settings.credentials_end, now)
        for stream in account.connector.streams:
            plan, row = plan_of(bundle, name, stream, watched.every), read.get((name, stream.name))
            found += of_stream(f"{name}/{stream.name}", plan, row, account.paused, watched.pulse.started_at, now)
    if environment is not None and environment.secret_age is not None:
        for name, stored_at in sorted(kept.items()):
            found += of_secret(name, stored_at, environment.secret_age, now)
    known = [replace(alarm, told_at=_told_at(told, alarm)) for alarm in found]
    return tuple(sorted(known, key=lambda alarm: (alarm.since, alarm.kind, alarm.subject)))


def of_schedule(
    name: str, schedule: Schedule, row: Mapping[str, Any], success: datetime | None, now: datetime
) -> Iterator[Alarm]:
    """Give the alarms of one schedule, from its row and the end of its last run that succeeded."""
    due = moment(row["next_at"])
    if due is not None and due < now - LATEST:
        detail = f"It was due at {_said(due)} and nothing has started it."
        yield Alarm(kind=AlarmKind.SCHEDULE_OVERDUE, subject=name, since=due, detail=detail)
    if schedule.dead_man is None:
        return
    since = success or of_micros(row["created_at"])
    if now - since > schedule.dead_man:
        last = f"Its last success was at {_said(success)}" if success else f"It has had no success since {_said(since)}"
        held = f"; it is held since {_said(of_micros(row['held_at']))}" if row["held"] else ""
        yield Alarm(
            kind=AlarmKind.SCHEDULE_WITHOUT_SUCCESS,
            subject=name,
            since=since + schedule.dead_man,
            detail=f"{last}{held}.",
        )


def of_stream(
    name: str, plan: Plan, row: Mapping[str, Any] | None, paused: str | None, started_at: datetime, now: datetime
) -> Iterator[Alarm]:
    """Give the alarms of one stream, from its row; a stream that was never read is silent since the process began."""
    read_at = moment(row["read_at"]) if row is not None else None
    since = read_at or started_at
    if now - since > plan.dead_man:
        last = f"It was last read to its end at {_said(read_at)}" if read_at else "It was never read to its end"
        why = "; the connection is paused" if paused is not None else ""
        if row is not None and row["error"] is not None:
            why = f"; {row['error'].rstrip('.')}"
        yield Alarm(kind=AlarmKind.STREAM_SILENT, subject=name, since=since + plan.dead_man, detail=f"{last}{why}.")
    gaps = streams.gaps(row)
    if gaps:
        detail = " ".join(dict.fromkeys(str(gap["detail"]) for gap in gaps))
        found_at = of_micros(min(gap["found_at"] for gap in gaps))
        yield Alarm(kind=AlarmKind.STREAM_GAP, subject=name, since=found_at, detail=detail[:500])


def of_credentials(name: str, ends: date | None, now: datetime) -> Iterator[Alarm]:
    """Give the alarm of credentials that end soon, or have ended: a vendor refuses them from that day on."""
    if ends is None:
        return
    end = datetime(ends.year, ends.month, ends.day, tzinfo=UTC)
    if end - now < WARNED_BEFORE:
        word = "end" if end > now else "ended"
        detail = f"The credentials {word} on {ends:%Y-%m-%d}; connect new ones, and write their own day."
        yield Alarm(kind=AlarmKind.CREDENTIALS_ENDING, subject=name, since=end - WARNED_BEFORE, detail=detail)


def of_secret(name: str, stored_at: datetime, most: timedelta, now: datetime) -> Iterator[Alarm]:
    """Give the alarm of a secret that is older than the environment lets one be."""
    if now - stored_at > most:
        detail = f"The secret was stored on {stored_at:%Y-%m-%d}, more than {most.days} days ago; replace it."
        yield Alarm(kind=AlarmKind.SECRET_OLD, subject=name, since=stored_at + most, detail=detail)


def left_by_all(connection: Connection, environment: str) -> Mapping[str, tuple[int, datetime]]:
    """Count the runs that no living worker can make sense of, by their revision, with since when the first waits."""
    refused = leases.refused_by_all(connection, environment=environment)
    if not refused:
        return {}
    waiting = (
        select(runs.c.bundle, func.count(), func.min(runs.c.claimable_at))
        .where(runs.c.environment == environment, runs.c.bundle.in_(refused), runs.c.claimable_at.is_not(None))
        .group_by(runs.c.bundle)
    )
    return {name: (number, of_micros(since)) for name, number, since in connection.execute(waiting)}


def of_revisions(left: Mapping[str, tuple[int, datetime]], now: datetime) -> Iterator[Alarm]:
    """Give the alarms of revisions that nobody who works makes sense of, and that runs wait for."""
    for name, (number, since) in sorted(left.items()):
        if now - since > LATEST:
            detail = f"{number} runs wait since {_said(since)} for a worker that can make sense of their revision."
            yield Alarm(kind=AlarmKind.REVISION_NOT_UNDERSTOOD, subject=name[:12], since=since + LATEST, detail=detail)


def of_ticks(pulse: Pulse, now: datetime) -> Iterator[Alarm]:
    """Give the alarms of the hub's own regular works."""
    for work, silence in pulse.silent(at_least=STOPPED_AFTER).items():
        since = now - timedelta(seconds=silence)
        detail = "This regular work of the hub has stopped; restart the hub if it does not go on."
        yield Alarm(kind=AlarmKind.TICKS_STOPPED, subject=work, since=since, detail=detail)


def last_success(connection: Connection, *, environment: str, flow: str) -> datetime | None:
    """Give the end of the last run of a scheduled flow that succeeded."""
    lately = (
        select(firings.c.event_id)
        .where(firings.c.environment == environment, firings.c.flow == flow, firings.c.event_id.is_not(None))
        .order_by(firings.c.due_at.desc())
        .limit(LOOKED_AT)
    )
    ended = select(func.max(runs.c.finished_at)).where(
        runs.c.event_id.in_(lately), runs.c.flow == flow, runs.c.state == RunState.SUCCEEDED.value
    )
    return moment(connection.execute(ended).scalar())


def _told_at(told: Mapping[tuple[str, str], Mapping[str, Any]], alarm: Alarm) -> datetime | None:
    row = told.get((alarm.kind.value, alarm.subject))
    return None if row is None else of_micros(row["raised_at"])


def _said(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
