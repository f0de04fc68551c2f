"""A run's journal: gathers what is to be recorded, and makes it durable before anything goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.audit.entry import Fact
from hub.audit.kinds import AuditKind
from hub.model.ambient import to_micros
from hub.model.run import Stopping
from hub.policy.rules import Decision
from hub.sdk import exact_json
from hub.store import decisions
from hub.store.audit import Note
from hub.store.cases import Failure
from hub.store.checksums import of_step
from hub.store.committer import Committer
from hub.store.crossrefs import Link, Unlink
from hub.store.history import Awaited, Record
from hub.store.matches import Match, Matched


class Journal:
    """Everything of one run since the last durable point; `settle` is awaited before each outside call."""

    def __init__(self, committer: Committer, *, run_id: str, epoch: int, worker: str) -> None:
        """Start empty."""
        self._committer = committer
        self._run_id = run_id
        self._epoch = epoch
        self._worker = worker
        self._winding_up: Stopping | None = None
        self._record = self._fresh()

    def step(
        self,
        *,
        path: str,
        ordinal: int,
        kind: str,
        state: str,
        started: datetime,
        finished: datetime,
        input: Any = None,
        output: Any = None,
        answer: Any = None,
        schema: str | None = None,
        rule: str | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        """Record how a step stands; `answer` came from outside, in `schema`, where the output was made of it."""
        row: dict[str, Any] = {
            "run_id": self._run_id,
            "path": path,
            "ordinal": ordinal,
            "kind": kind,
            "state": state,
            "input": None if input is None else _text(input),
            "output": None if output is None else _text(output),
            "answer": None if answer is None else _text(answer),
            "answer_schema": schema,
            "rule": rule,
            "error": None if error is None else _text(error),
            "started_at": to_micros(started),
            "finished_at": to_micros(finished),
        }
        row["checksum"] = of_step(row)
        self._record.steps.append(row)

    def attempt(
        self,
        *,
        path: str,
        number: int,
        kind: str,
        started: datetime,
        finished: datetime,
        outcome: str,
        status: int | None = None,
        detail: str | None = None,
    ) -> None:
        """Record one try of an outside call (`send`, `look`, `read`)."""
        self._record.attempts.append(
            {
                "run_id": self._run_id,
                "path": path,
                "number": number,
                "kind": kind,
                "started_at": to_micros(started),
                "finished_at": to_micros(finished),
                "status": status,
                "outcome": outcome,
                "detail": detail,
            }
        )

    def note(
        self,
        kind: AuditKind,
        *,
        subjects: Mapping[str, str] | None = None,
        facts: Mapping[str, Fact] | None = None,
        ending: bool = False,
    ) -> None:
        """Add an audit entry about this run; one about its end (`ending`) counts only if it comes to that."""
        entries = self._record.ending if ending else self._record.notes
        entries.append(
            Note(
                kind=kind,
                actor=self._worker,
                subjects={"run": self._run_id, **(subjects or {})},
                facts=facts or {},
            )
        )

    def decision(
        self,
        decision: Decision,
        *,
        id: str,
        environment: str,
        bundle: str,
        at: datetime,
        path: str,
        connection: str | None = None,
    ) -> None:
        """Keep what a policy decided about a step, with its audit entry."""
        self._record.decisions.append(
            decisions.row(
                decision,
                id=id,
                environment=environment,
                bundle=bundle,
                at=at,
                run_id=self._run_id,
                connection=connection,
                path=path,
            )
        )
        self.note(
            AuditKind.POLICY_DECIDED,
            facts={"policy": decision.policy, "version": decision.version, "rule": code(decision.rule or "none")},
        )

    def decided(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep decisions that are rows already; the payload they are about is counted, not audited."""
        self._record.decisions.extend(rows)

    async def match(self, match: Match) -> Matched:
        """Compare a record with all others, durably; raises `PossibleDuplicate` where a person has to say something."""
        self._record.match = match
        matched: Matched = await self._flush()
        return matched

    def link(self, link: Link) -> None:
        """Tie ids together; what waits for them goes on once it is durable."""
        self._record.links.append(link)

    def unlink(self, unlink: Unlink) -> None:
        """Take back what the run has tied together in one step."""
        self._record.unlinks.append(unlink)

    def outcome(self, *rows: Mapping[str, Any]) -> None:
        """Record what became of an effect, or of those that one request carries."""
        if self._record.outcomes:
            raise RuntimeError("an outcome is waiting to be made durable already")
        self._record.outcomes = rows

    def rewrite(self, row: Mapping[str, Any]) -> None:
        """Record that an effect's request is another one from here on."""
        self._record.rewritten = row

    async def intend(self, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Make an intent durable with everything before it; gives the effect that stands under its key already."""
        standing = await self.intend_all([row])
        return standing[0] if standing else None

    async def intend_all(
        self,
        rows: Sequence[Mapping[str, Any]],
        batch: Mapping[str, Any] | None = None,
        *,
        again: frozenset[str] = frozenset(),
    ) -> Sequence[Mapping[str, Any]]:
        """Make the intents of one request durable, with everything before them.

        Gives the effects that stand under some of their keys already: then none of the intents was opened. `again` are
        keys of this run's effects that may be made anew although their outcome is unknown.
        """
        self._record.intents = rows
        self._record.again = again
        self._record.batch = batch
        self._record.intended = [
            Note(
                kind=AuditKind.EFFECT_INTENDED,
                actor=self._worker,
                subjects={"run": self._run_id, "effect": row["key"]},
                facts={"operation": row["operation"], "request": row["body_hash"]},
            )
            for row in rows
        ]
        standing: Sequence[Mapping[str, Any]] | None = await self._flush()
        return standing or ()

    async def take_over(self, *rows: Mapping[str, Any]) -> bool:
        """Make effects of another run this run's own; False when one of them is no longer as it was seen."""
        self._record.taken = rows
        return await self._flush() is None

    async def settle(self) -> None:
        """Make an effect's outcome durable, if one is waiting to be."""
        record = self._record
        if record.outcomes or record.rewritten is not None or record.links or record.unlinks:
            await self._flush()

    async def send_again(self, connection: str, leaving: Sequence[Mapping[str, Any]] = ()) -> None:
        """Make it durable that a recorded request goes to a connection once more; raises what forbids that just now.

        `leaving` are intents that leave only now: what forbids an intent forbids them too.
        """
        self._record.sends_again = True
        self._record.over = connection
        self._record.leaving = leaving
        await self._flush()

    async def flush(self) -> None:
        """Make everything durable that is waiting to be."""
        if self._waits:
            await self._flush()

    def hand_over(self) -> asyncio.Future[Any] | None:
        """Hand over everything that is waiting to be made durable; gives what is done once it is, None for nothing.

        What is handed over later, by whatever journal, is not durable before it.
        """
        return self._committer.submit(self._taken()) if self._waits else None

    def wind_up(self, stopping: Stopping) -> None:
        """From here on record what the run does because it was told to stop so."""
        self._winding_up = self._record.winding_up = stopping

    async def end(
        self,
        change: Mapping[str, Any],
        *,
        case: Failure | None = None,
        well: bool = False,
        waits: Sequence[Awaited] = (),
        seen: int | None = None,
    ) -> None:
        """Make everything durable together with the run's new state and what it then waits for, as was `seen` then.

        `well` says that nothing of what people were told has come true.
        """
        self._record.change = change
        self._record.case = case
        self._record.well = well
        self._record.waits = waits
        self._record.seen = seen
        await self._flush()

    @property
    def _waits(self) -> bool:
        record = self._record
        return bool(record.outcomes or record.steps or record.attempts or record.notes or record.decisions)

    async def _flush(self) -> Any:
        return await self._committer.commit(self._taken())

    def _taken(self) -> Record:
        record, self._record = self._record, self._fresh()
        return record

    def _fresh(self) -> Record:
        return Record(run_id=self._run_id, epoch=self._epoch, worker=self._worker, winding_up=self._winding_up)


def code(text: str) -> str:
    """Give a text as the audit log takes it: printable, without blanks, not too long."""
    return "".join(char if "!" <= char <= "~" else "-" for char in text)[:200] or "-"


def _text(value: Any) -> str:
    return exact_json.dumps(value).decode()
