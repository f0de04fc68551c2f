"""Lanes: each is one line of steps that is gone through in order, such as the run itself or an item of a loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.engine.journal import Journal
from hub.engine.outputs import Output
from hub.engine.steps import Steps
from hub.engine.values import Scope
from hub.engine.verdicts import Park, TakeBack, Waiting
from hub.errors import HubError
from hub.model.ambient import of_micros
from hub.model.flow import Step

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is recorded of a lane from before, by path; `limited` are attempts that a limit turned away."""

    steps: Mapping[str, Row] = field(default_factory=dict)
    effects: Mapping[str, Row] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    limited: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Lane:
    """One line of steps: where their paths begin, what they see, and the journal that records them.

    `ordinal` is the place in the flow of the outermost step that it belongs to; None for the run itself.
    """

    prefix: str
    scope: Scope
    journal: Journal
    steps: Steps
    known: Known
    ordinal: int | None = None

    def path(self, step: Step) -> str:
        """Give the path of one of its steps."""
        return self.prefix + step.id

    def within(self, prefix: str, ordinal: int) -> Lane:
        """Give a line of steps inside one of its steps, which is gone through in its place and recorded with it."""
        return Lane(
            prefix=prefix,
            scope=dict(self.scope),
            journal=self.journal,
            steps=self.steps,
            known=self.known,
            ordinal=ordinal,
        )

    def then(self, prefix: str, scope: Scope) -> Lane:
        """Give the line of steps at another place that is gone through after this one is at its end.

        What both record is made durable together, and what is known of this one is known of that one too.
        """
        self.steps.connection = None
        return Lane(
            prefix=prefix, scope=scope, journal=self.journal, steps=self.steps, known=self.known, ordinal=self.ordinal
        )


#: Makes a lane of its own beside others: its prefix, ordinal, what it sees, and what is recorded of it.
NewLane = Callable[[str, int | None, Scope, Known], Lane]


@dataclass(slots=True, kw_only=True)
class Place:
    """Where a lane is: its present step, when that began, and what it gave before it failed."""

    lane: Lane
    step: Step
    ordinal: int
    path: str
    started: datetime
    output: Output | None = None

    @property
    def kind(self) -> str:
        """Give what the present step does, in one word."""
        return type(self.step.action).__name__.lower()

    @property
    def before(self) -> Row | None:
        """Give what is recorded of the step from an earlier try."""
        return self.lane.known.steps.get(self.path)

    @property
    def began(self) -> datetime:
        """Give when the present step began, at its first try: not later than now, although a clock was ahead."""
        before = self.before
        return self.started if before is None else min(of_micros(before["started_at"]), self.started)


class Stopped(Exception):
    """A lane cannot go on for now: what follows, where, and why."""

    def __init__(
        self,
        verdict: Waiting | Park | TakeBack,
        place: Place | None,
        error: HubError,
        *,
        beside: Sequence[Stopped] = (),
        unapproved: bool = False,
    ) -> None:
        """Take what follows; `place` is None when it stopped before the first step.

        `beside` is what has failed for good besides; the run stops for a person once nothing can go on any more.
        `unapproved` tells that some of it stopped because something is not approved: nothing goes on past that.
        """
        super().__init__(str(error))
        self.verdict = verdict
        self.place = place
        self.error = error
        self.beside = tuple(beside)
        self.unapproved = unapproved
