"""A plan: what one revision would change against another, in files, in records and in money."""

from __future__ import annotations

from dataclasses import dataclass

from hub.errors import WorkspaceInvalid
from hub.release.breaks import schema_breaks
from hub.release.changes import Change, compare
from hub.release.gate import Concern, concerns
from hub.release.report import Shadow
from hub.release.shadow import Bounds, Progress, Versions, replay
from hub.release.uses import Touched
from hub.store.database import Database
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue
from hub.workspace.compiled_files import EnvironmentFile
from hub.workspace.source.lint import Lint


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A revision as it was asked for (`word`), what it is, and where it came from."""

    word: str
    bundle: str
    commit: str | None = None
    dirty: bool = False
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is known of a change before it happens.

    `errors` keep the newer one from being used at all; there is nothing else then. `shadow` is None when no flow is
    touched. `recorded` tells whether there were events to replay.
    """

    environment: str
    before: Named
    after: Named
    errors: tuple[Lint, ...] = ()
    warnings: tuple[Lint, ...] = ()
    changes: tuple[Change, ...] = ()
    touched: tuple[Touched, ...] = ()
    breaks: tuple[str, ...] = ()
    shadow: Shadow | None = None
    wanted: int = 0
    approvals: int = 0
    concerns: tuple[Concern, ...] = ()


def make_plan(
    *,
    names: tuple[Named, Named],
    bundles: tuple[Bundle, Bundle],
    warnings: tuple[Lint, ...],
    environment: EnvironmentFile,
    catalogue: Catalogue,
    database: Database,
    bounds: Bounds,
    progress: Progress,
    publishing: bool,
) -> Plan:
    """Compare, replay, and say what must be looked at; it takes its time, so give it a thread."""
    before, after = bundles
    if environment.name not in after.environments:
        raise WorkspaceInvalid(
            f"The revision has no environment `{environment.name}`, so it cannot serve here.",
            code="unknown-environment",
            revision=names[1].word,
        )
    found = compare(before, after)
    shadow = None
    if found.flows and bounds.events:
        versions = Versions(before=before, after=after, flows=found.flows, catalogue=catalogue)
        shadow = replay(database, environment.name, versions, bounds, progress)
    breaks = tuple(schema_breaks(before, after))
    return Plan(
        environment=environment.name,
        before=names[0],
        after=names[1],
        warnings=warnings,
        changes=found.changes,
        touched=found.touched,
        breaks=breaks,
        shadow=shadow,
        wanted=bounds.events,
        approvals=environment.approvals,
        concerns=tuple(
            concerns(
                breaks=breaks,
                shadow=shadow,
                environment=environment,
                wanted=after.environments[environment.name],
                publishing=publishing,
            )
        ),
    )
