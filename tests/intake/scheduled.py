"""A hub's schedules alone: the real store, intake and triggers, under a clock that a test puts where it wants."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from sqlalchemy import select

from hub.intake.door import Intake
from hub.intake.schedules import Schedules
from hub.model.ambient import Ambient, Clock, of_micros
from hub.model.flow import Schedule
from hub.runtime.triggers import of_schedule
from hub.sdk import exact_json
from hub.store import schedules
from hub.store.committer import Committer
from hub.store.control_tables import firings
from hub.store.database import Database
from hub.store.tables import events, runs
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from tests.engine.vendor import connector
from tests.intake.standing_clock import StandingClock

FLOW = """
flow: {name}
title: What happens every day
owner: team:tests
on: {{ event: vendor.never.happens }}
key: "'{name}'"
business_key: data.due_at
steps:
  - id: noted
    crossref: {{ entity: day, ids: {{ a: =data.due_at, b: =data.date }} }}
"""


def scheduled(**flows: Schedule) -> Bundle:
    """Compile flows that start by these schedules; an underscore of a name is a hyphen."""
    named = {name.replace("_", "-"): schedule for name, schedule in flows.items()}
    files = {f"flows/{name}.yaml": FLOW.format(name=name).encode() for name in named}
    compiled, lints = compile_bundle(files, catalogue_of([connector]))
    assert compiled is not None, [str(lint) for lint in lints]
    made = {
        name: replace(flow, event=f"concord.schedule.{name}", schedule=named[name])
        for name, flow in compiled.flows.items()
    }
    return replace(compiled, flows=made)


class Station:
    """One process over a data directory that does nothing but fire schedules."""

    def __init__(self, directory: Path, bundle: Bundle, clock: Clock, *, seed: int = 1, chain: str = "main") -> None:
        """Open the directory."""
        self.bundle = bundle
        self.ambient = Ambient(clock=clock, random=random.Random(seed))
        self.database = Database(directory, os.environ.get("CONCORD_DATABASE"))
        self.committer = Committer(self.database, self.ambient, chain=chain)
        intake = Intake(
            environment="test",
            ambient=self.ambient,
            committer=self.committer,
            accounts={},
            bundle=lambda: self.bundle,
        )
        self.schedules = Schedules(
            environment="test",
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            bundle=lambda: self.bundle,
            triggers=of_schedule,
            prepare=intake.prepare,
        )

    async def __aenter__(self) -> Self:
        """Begin to record."""
        self.committer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        await self.committer.stop()
        self.database.close()

    async def at(self, moment: str) -> int:
        """Put the clock there and tick; gives how many events began."""
        assert isinstance(self.ambient.clock, StandingClock)
        self.ambient.clock.put(moment)
        return await self.schedules.tick()

    def next_at(self, name: str = "daily") -> str | None:
        """Give when a schedule is due next."""
        with self.database.reading() as connection:
            row = schedules.find(connection, environment="test", flow=name)
        return None if row is None or row["next_at"] is None else _short(row["next_at"])

    def firings(self, name: str = "daily") -> list[tuple[str, str, int]]:
        """Give due moment, state and number of missed ones of each firing, the oldest first."""
        statement = select(firings).where(firings.c.flow == name).order_by(firings.c.due_at)
        with self.database.reading() as connection:
            return [(_short(row.due_at), row.state, row.missed) for row in connection.execute(statement)]

    def events(self) -> list[Mapping[str, Any]]:
        """Give the data of every event with its state and runs, the oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute(select(events).order_by(events.c.occurred_at)).all()
            begun = connection.execute(select(runs.c.event_id, runs.c.id)).all()
        return [
            {
                **exact_json.loads(row.data),
                "state": row.state,
                "via": row.via,
                "external_id": row.external_id,
                "runs": sum(1 for event, _ in begun if event == row.id),
            }
            for row in rows
        ]


def _short(micros: int) -> str:
    return of_micros(micros).isoformat().removesuffix("+00:00").removesuffix(":00")
