"""What trials came to, connector by connector: how much was tried, how much held, and the harm that was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hub.proof.certification.certify import NOTHING, State, Trial
from hub.proof.certification.judging import Harm, harm_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Something that cannot hold under a fault, and why."""

    name: str
    fault: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """The trials of one connector.

    - `tried` counts its operations, webhooks, streams and listings, `faults` the kinds of faults that struck at least
      one.
    - `trials` are `held`, `not_struck`, `broken`, or have one of the `exemptions`.
    - `harm` counts the trials that did each harm.
    - `seconds` are of work, whatever went on at the same time.
    """

    connector: str
    tried: int
    faults: int
    trials: int
    held: int
    not_struck: int
    broken: int
    harm: dict[Harm, int]
    exemptions: Sequence[Exemption]
    seconds: float


def sums(trials: Sequence[Trial]) -> list[Sum]:
    """Sum trials up, in the order in which their connectors come first."""
    names = dict.fromkeys(trial.subject.connector for trial in trials)
    return [_sum(name, [trial for trial in trials if trial.subject.connector == name]) for name in names]


def _sum(connector: str, trials: Sequence[Trial]) -> Sum:
    states = Counter(trial.state for trial in trials)
    struck = {trial.fault for trial in trials if trial.state is not State.NOT_STRUCK}
    harms = [{harm_of(sentence) for sentence in trial.told} for trial in trials if trial.state is State.BROKEN]
    return Sum(
        connector=connector,
        tried=len({(trial.subject.side, trial.subject.name) for trial in trials}),
        faults=len(struck - {NOTHING}),
        trials=len(trials),
        held=states[State.HOLDS],
        not_struck=states[State.NOT_STRUCK],
        broken=states[State.BROKEN],
        harm={harm: sum(harm in done for done in harms) for harm in Harm},
        exemptions=tuple(
            Exemption(name=trial.subject.name, fault=trial.fault, reason=trial.told[0])
            for trial in trials
            if trial.state is State.EXEMPT
        ),
        seconds=sum(trial.seconds for trial in trials),
    )
