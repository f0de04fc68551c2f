"""One step of a run as people read it: what it was given and gave, its attempts, its write, and who decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy import Connection, select

from hub.model.ambient import of_micros, to_micros
from hub.model.effect import EffectState, Idempotency
from hub.model.run import LEFT_OUT, WENT_ON, StepState
from hub.queries.decisions import DecisionView, decision_view
from hub.queries.runs import RunRow
from hub.queries.view import moment, seconds_between
from hub.sdk import exact_json
from hub.store import decisions as stored_decisions
from hub.store.tables import attempts, effects

#: So many paths are asked for with one statement.
_TOGETHER = 400


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
    """One step of a run; `reused` when a replay took its result over instead of doing it again.

    It was `skipped` by its condition, or the flow `went_on` without it after it had failed.
    """

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
    went_on: bool
    attempts: tuple[AttemptView, ...]
    effect: EffectView | None
    decisions: tuple[DecisionView, ...]
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None


def step_views(
    connection: Connection, run: RunRow, chain: Sequence[str], rows: Sequence[Mapping[str, Any]], *, payloads: bool
) -> list[StepView]:
    """Give stored steps of a run as views, in their order; `chain` are the runs of the same work, the first one first.

    Only what belongs to these steps is read, however many others the run has.
    """
    tried: dict[str, list[AttemptView]] = {}
    decided: dict[tuple[str, str], list[DecisionView]] = {}
    written: dict[str, EffectView] = {}
    for paths in _parts([row["path"] for row in rows]):
        wanted = select(attempts).where(attempts.c.run_id == run.id, attempts.c.path.in_(paths))
        for found in connection.execute(wanted.order_by(attempts.c.path, attempts.c.number)):
            tried.setdefault(found.path, []).append(attempt_view(dict(found._mapping)))
        # A replay meets the writes of the runs before it, so those belong to its story too.
        sent = select(effects).where(effects.c.run_id.in_(chain), effects.c.path.in_(paths))
        for found in connection.execute(sent.order_by(effects.c.created_at)):
            written[found.path] = _effect(dict(found._mapping), payloads=payloads)
        for decision in stored_decisions.of_runs(connection, chain, paths):
            kept = decided.setdefault((decision["run_id"], decision["path"]), [])
            kept.append(decision_view(decision, payloads=payloads))
    # What a replay took over was decided in the last run before it that decided it.
    before = list(reversed(chain[: chain.index(run.id)]))
    return [_step(row, run, tried, written, decided, before, payloads=payloads) for row in rows]


def _parts(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _TOGETHER):
        yield paths[start : start + _TOGETHER]


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
        rule=None if row["rule"] in (LEFT_OUT, WENT_ON) else row["rule"],
        input=_value(row["input"]) if payloads else None,
        output=_value(row["output"]) if payloads else None,
        error=_error(error, payloads=payloads),
        reused=reused,
        skipped=row["rule"] == LEFT_OUT,
        went_on=row["rule"] == WENT_ON,
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
