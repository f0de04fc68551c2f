"""What keeps a revision from being published until somebody confirms it with a reason: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from hub.release.report import Shadow
from hub.workspace.compiled_files import EnvironmentFile

_NONE = Decimal(0)


class Worry(StrEnum):
    """A kind of concern."""

    BREAK = "compatibility"
    MONEY = "money"
    STOPS = "stops"
    UNFINISHED = "unfinished"
    UNKNOWN = "unknown"
    LIMITS = "limits"
    APPROVALS = "approvals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One reason to look twice, in a sentence."""

    worry: Worry
    sentence: str


def concerns(
    *,
    breaks: Sequence[str],
    shadow: Shadow | None,
    environment: EnvironmentFile,
    wanted: EnvironmentFile,
    publishing: bool,
) -> list[Concern]:
    """Give what must be confirmed: by the limits of the environment as it serves now, not as `wanted` would be.

    Approvals are asked for only when publishing.
    """
    found = [Concern(worry=Worry.BREAK, sentence=sentence) for sentence in breaks]
    if shadow is not None:
        found += _of_money(shadow, environment)
        if shadow.appearing:
            runs = "1 run" if shadow.appearing == 1 else f"{shadow.appearing} runs"
            found.append(Concern(worry=Worry.STOPS, sentence=f"{runs} would stop for a person that did not before."))
        if shadow.unknown:
            runs = "1 run" if shadow.unknown == 1 else f"{shadow.unknown} runs"
            sentence = f"Of {runs} it cannot be told what would become of them; more money may move than is shown."
            found.append(Concern(worry=Worry.UNKNOWN, sentence=sentence))
        if shadow.stopped is not None:
            found.append(Concern(worry=Worry.UNFINISHED, sentence=f"The shadow replay ended {shadow.stopped}."))
    found += [Concern(worry=Worry.LIMITS, sentence=sentence) for sentence in _loosened(environment, wanted)]
    if publishing and environment.approvals > 0:
        people = "1 more person" if environment.approvals == 1 else f"{environment.approvals} more people"
        sentence = f"The environment asks for {people} to agree, and nobody else can agree yet."
        found.append(Concern(worry=Worry.APPROVALS, sentence=sentence))
    return found


def _loosened(now: EnvironmentFile, then: EnvironmentFile) -> list[str]:
    """Say what of an environment's limits would be looser for the revisions to come."""
    if not now.governed:
        return []
    if not then.governed:
        return [f"`publish` is taken out of {now.name}: from the next start on it serves whatever the folder holds."]
    found = []
    for code, limit in sorted(then.max_money_difference.items()):
        before = now.max_money_difference.get(code, _NONE)
        if limit > before:
            found.append(f"The limit of {now.name} for {code} is raised from {before:f} to {limit:f}.")
    if then.approvals < now.approvals:
        found.append(f"{now.name} asks for fewer people to agree: {then.approvals} instead of {now.approvals}.")
    return found


def _of_money(shadow: Shadow, environment: EnvironmentFile) -> list[Concern]:
    found = []
    for one in shadow.money:
        limit = environment.max_money_difference.get(one.currency, _NONE)
        if one.amount > limit:
            runs = "1 run" if one.runs == 1 else f"{one.runs} runs"
            sentence = f"{one.amount:f} {one.currency} move in {runs}; the limit of {environment.name} is {limit:f}."
            found.append(Concern(worry=Worry.MONEY, sentence=sentence))
    return found
