"""What a fault is: what it does, how it is undone, when it could be noticed, and whether it can be made here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hub.proof.real.scene import Scene


class Noticed(StrEnum):
    """From when on recovery is measured."""

    AT_ONCE = "from the fault on"
    OVER = "the first from the fault on, all from its end on"
    LEASE = "from the end of the worker's lease on"
    BACK = "from when the database takes changes again"


def always(_scene: Scene) -> str | None:
    """Say nothing against it."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of fault.

    - `strike(scene, worker)` puts it in; `worker` is the name of the one it is about, empty where it is about none.
    - `undo(scene, worker)` ends it, `lasts(scene)` seconds after it began or, where work goes on without that, once it
      has gone on.
    - `cannot(scene)` says why it cannot be made on this machine, None where it can.
    - `struck(scene, worker)` counts how often it has really struck, as is seen just before its end: by what is gone, by
      leases that are over, by what logs say, by how long a write takes. A trial in which it did not is none.
    - `worker(scene)` chooses the worker, and `crash` says that it is lost with all it has in hand.
    """

    name: str
    does: str
    undone: str
    noticed: Noticed
    strike: Callable[[Scene, str], None]
    undo: Callable[[Scene, str], None]
    struck: Callable[[Scene, str], int]
    worker: Callable[[Scene], str] = lambda _scene: ""
    lasts: Callable[[Scene], float] = lambda _scene: 0.0
    cannot: Callable[[Scene], str | None] = always
    crash: bool = False
