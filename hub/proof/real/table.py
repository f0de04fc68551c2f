"""The one table of all faults, and the order in which they are put in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from hub.errors import Refused
from hub.proof.real import of_processes, of_servers
from hub.proof.real.fault import Fault

FAULTS: Sequence[Fault] = (*of_processes.FAULTS, *of_servers.FAULTS)


def chosen(names: Sequence[str]) -> Sequence[Fault]:
    """Give the faults of these names, all where none is named; raises `Refused` for a name that there is not."""
    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            raise Refused(
                f"There is no fault `{name}`; there are {', '.join(known)}.", code="unknown-fault", fault=name
            )
    return [known[name] for name in dict.fromkeys(names)] or FAULTS


def order(faults: Sequence[Fault], seed: int) -> Iterator[Fault]:
    """Give faults without end: each once in a drawn order, then each once more in another one."""
    dice = Random(f"{seed}:faults")
    while True:
        yield from dice.sample(list(faults), len(faults))
