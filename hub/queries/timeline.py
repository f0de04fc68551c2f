"""One run in full: its event, its steps with their attempts and writes, its replays and its cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy import Connection, select

from hub.model.ambient import of_micros, to_micros
from hub.model.effect import EffectState, Idempotency
from hub.model.run import OPEN_STATES, RunState, StepState
from hub.queries.cases import CaseRow, case_row
from hub.queries.decisions import DecisionView, decision_view
from hub.queries.events import EventRow, event_row
from hub.queries.runs import RunRow, find, run_row
from hub.queries.standing import Standing, standing
from hub.queries.view import View, moment, seconds_between
from hub.sdk import exact_json
from hub.store import decisions as stored_decisions
from hub.store import events as stored_events
from hub.store import people
from hub.store.tables import attempts, cases, effects, runs, steps

#: No chain of replays that a person looks at is longer.
_LONGEST_CHAIN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One try of an outside call: what kind (`send`, `look`, `read`), when, and what came of it."""

    number: int
    kind: str
    outcome: str
    status: int | None
    detail: str | None
    started_at: datetime
    finished_at: datetime
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectView:
    """One outside write as it was recorded before it was sent; the URL is without credentials."""

    key: str
    state: EffectState
    connection: str
    operation: str
    idempotency: Idempotency
    method: str
    url: str
    body_hash: str
    body: str | None
    reason: str | None
    run_id: str
    generation: int
    created_at: datetime
    sent_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepError:
    """Why a step stopped or waits."""

    code: str
    detail: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step of a run; `reused` when a replay took its result over instead of doing it again."""

    path: str
    ordinal: int
    kind: str
    state: StepState
    rule: str | None
    input: Any
    output: Any
    error: StepError | None
    reused: bool
    skipped: bool
    attempts: tuple[AttemptView, ...]
    effect: EffectView | None
    decisions: tuple[DecisionView, ...]
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """A run whole; `chain` is every run of the same work, the first one first, with this one among them.

    `replay_from` is the step a replay would go on from, and `replayable` tells whether one may be ordered now.
    """

    run: RunRow
    event: EventRow | None
    steps: tuple[StepView, ...]
    cases: tuple[CaseRow, ...]
    chain: tuple[RunRow, ...]
    standing: Standing
    withheld: bool
    replayable: bool
    replay_from: str | None


def detail(view: View, run_id: str, *, payloads: bool) -> RunDetail:
    """Give a run whole, without inputs, outputs and bodies unless `payloads`; raises `NotFound`."""
    with view.database.reading() as connection:
        row = find(connection, view, run_id)
        chain = _chain(connection, row)
        event = stored_events.find(connection, row["event_id"])
        found_steps = _rows(connection, select(steps).where(steps.c.run_id == run_id).order_by(steps.c.ordinal))
        found_attempts = _rows(
            connection, select(attempts).where(attempts.c.run_id == run_id).order_by(attempts.c.path, attempts.c.number)
        )
        # A replay meets the writes of the runs before it, so those belong to its story too.
        found_effects = _rows(
            connection,
            select(effects)
            .where(effects.c.run_id.in_([member["id"] for member in chain]))
            .order_by(effects.c.created_at),
        )
        found_cases = _rows(connection, select(cases).where(cases.c.run_id == run_id).order_by(cases.c.id))
        called = people.names(connection)
        stands = standing(connection, row, called)
        found_decisions = stored_decisions.of_runs(connection, [member["id"] for member in chain])
    tried: dict[str, list[AttemptView]] = {}
    for attempt in found_attempts:
        tried.setdefault(attempt["path"], []).append(attempt_view(attempt))
    decided: dict[tuple[str, str], list[DecisionView]] = {}
    for decision in found_decisions:
        kept = decided.setdefault((decision["run_id"], decision["path"]), [])
        kept.append(decision_view(decision, payloads=payloads))
    written = {effect["path"]: _effect(effect, payloads=payloads) for effect in found_effects}
    run = run_row(row)
    ids = [member["id"] for member in chain]
    # What a replay took over was decided in the last run before it that decided it.
    before = list(reversed(ids[: ids.index(run_id)]))
    views = tuple(_step(step, run, tried, written, decided, before, payloads=payloads) for step in found_steps)
    return RunDetail(
        run=run,
        event=None if event is None else event_row(event, payloads=payloads),
        steps=views,
        cases=tuple(case_row(case, called) for case in found_cases),
        chain=tuple(run_row(member) for member in chain),
        standing=stands,
        withheld=not payloads,
        replayable=run.replaced_by is None
        and run.pruned_at is None
        and (run.state is RunState.PARKED or run.state not in OPEN_STATES),
        replay_from=next((step.path for step in views if step.state is not StepState.SUCCEEDED), None),
    )


def _chain(connection: Connection, row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    chain = [row]
    while chain[0]["replay_of"] and len(chain) < _LONGEST_CHAIN:
        before = _rows(connection, select(runs).where(runs.c.id == chain[0]["replay_of"]))
        if not before:
            break
        chain.insert(0, before[0])
    while chain[-1]["replaced_by"] and len(chain) < 2 * _LONGEST_CHAIN:
        after = _rows(connection, select(runs).where(runs.c.id == chain[-1]["replaced_by"]))
        if not after:
            break
        chain.append(after[0])
    return chain


def _rows(connection: Connection, statement: Any) -> list[Mapping[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(statement)]


def attempt_view(row: Mapping[str, Any]) -> AttemptView:
    """Give a stored attempt as a value."""
    return AttemptView(
        number=row["number"],
        kind=row["kind"],
        outcome=row["outcome"],
        status=row["status"],
        detail=row["detail"],
        started_at=of_micros(row["started_at"]),
        finished_at=of_micros(row["finished_at"]),
        seconds=max(0.0, (row["finished_at"] - row["started_at"]) / 1_000_000),
    )


def _effect(row: Mapping[str, Any], *, payloads: bool) -> EffectView:
    return EffectView(
        key=row["key"],
        state=EffectState(row["state"]),
        connection=row["connection"],
        operation=row["operation"],
        idempotency=Idempotency(row["idempotency"]),
        method=row["method"],
        url=without_credentials(row["url"]),
        body_hash=row["body_hash"],
        body=bytes(row["body"]).decode("utf-8", "backslashreplace") if payloads else None,
        reason=row["reason"],
        run_id=row["run_id"],
        generation=row["generation"],
        created_at=of_micros(row["created_at"]),
        sent_at=moment(row["sent_at"]),
        finished_at=moment(row["finished_at"]),
    )


def _step(
    row: Mapping[str, Any],
    run: RunRow,
    tried: Mapping[str, Sequence[AttemptView]],
    written: Mapping[str, EffectView],
    decided: Mapping[tuple[str, str], Sequence[DecisionView]],
    before: Sequence[str],
    *,
    payloads: bool,
) -> StepView:
    path = row["path"]
    error = exact_json.loads(row["error"]) if row["error"] else None
    reused = run.replay_of is not None and row["started_at"] < to_micros(run.created_at)
    deciders = before if reused else (run.id,)
    return StepView(
        path=path,
        ordinal=row["ordinal"],
        kind=row["kind"],
        state=StepState(row["state"]),
        rule=None if row["rule"] == "skipped" else row["rule"],
        input=_value(row["input"]) if payloads else None,
        output=_value(row["output"]) if payloads else None,
        error=_error(error, payloads=payloads),
        reused=reused,
        skipped=row["rule"] == "skipped",
        attempts=tuple(tried.get(path, ())),
        effect=written.get(path),
        decisions=next((tuple(decided[one, path]) for one in deciders if (one, path) in decided), ()),
        started_at=of_micros(row["started_at"]),
        finished_at=moment(row["finished_at"]),
        seconds=seconds_between(row["started_at"], row["finished_at"]),
    )


def _error(error: Mapping[str, Any] | None, *, payloads: bool) -> StepError | None:
    if error is None:
        return None
    return StepError(code=error["code"], detail=error["detail"], facts=dict(error.get("facts", {})) if payloads else {})


def _value(text: str | None) -> Any:
    return None if text is None else exact_json.loads(text)


def without_credentials(url: str) -> str:
    """Give a URL without a user and a password, should a vendor's address carry them."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
