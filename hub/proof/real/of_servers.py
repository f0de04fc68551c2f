"""Faults of what all processes share: PostgreSQL, its disk, the way to it, and NATS."""

from __future__ import annotations

import time

from hub.proof.real.fault import Fault, Noticed
from hub.proof.real.scene import Scene
from hub.runtime.ticks import SEAL_SECONDS

#: Sessions are looked for at their commit for so many seconds, and so many are ended at most.
_AIMS_FOR, _ENDS = 4.0, 3
#: So many writes a second a slow disk takes.
SLOW = 12
#: So many commits in a row show how slow it is, of which the disk takes the first ones from what it has saved up.
_COMMITS, _SAVED = 6, 2
#: So many seconds a leader of NATS is waited for.
_LEADS_WITHIN = 10.0
_NOT_SEALED = ("tick.seal_failed",)
_FULL = ("No space left on device",)

#: Ends sessions at their commit. The server looks for itself, so that it is quick enough. What is audited ends with the
#: log's new end and its commit in one message, and is at its commit once it waits for the server's own log.
_AT_COMMIT = """
DO $$
DECLARE
  one integer; audited boolean; plain integer := 0; ended integer := 0;
  until timestamptz := clock_timestamp() + interval '{seconds} seconds';
BEGIN
  WHILE ended < {most} AND clock_timestamp() < until LOOP
    PERFORM pg_stat_clear_snapshot();
    FOR one, audited IN SELECT pid, query ILIKE 'update audit_heads %; commit' FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend' AND state = 'active' AND (query ILIKE 'commit%' AND plain < {most}
        OR query ILIKE 'update audit_heads %; commit' AND lower(wait_event) IN ('walsync', 'walwrite')) LOOP
      PERFORM pg_terminate_backend(one);
      IF audited THEN
        ended := ended + 1;
        RAISE LOG 'concord-proof of what is audited: % is ended at its commit', one;
      ELSE
        plain := plain + 1;
        RAISE LOG 'concord-proof: % is ended at its commit', one;
      END IF;
    END LOOP;
  END LOOP;
END $$
"""


def _kill_postgres(scene: Scene, _worker: str) -> None:
    scene.company.kill_postgres()


def _stop_postgres(scene: Scene, _worker: str) -> None:
    scene.company.stop_postgres()


def _start_postgres(scene: Scene, _worker: str) -> None:
    scene.company.start_postgres()


def _postgres_is_gone(scene: Scene, _worker: str) -> int:
    return int(not scene.company.postgres_runs and not scene.company.postgres_listens)


def _ended(scene: Scene, _worker: str) -> int:
    return scene.told(("LOG:  concord-proof of what is audited: ",))


def _is_full(scene: Scene, _worker: str) -> int:
    return scene.told(_FULL)


def _was_not_sealed(scene: Scene, _worker: str) -> int:
    return scene.told(_NOT_SEALED)


def _end_at_commit(scene: Scene, _worker: str) -> None:
    import psycopg  # noqa: PLC0415 - other proofs have no driver

    with psycopg.connect(scene.company.database, autocommit=True) as connection:
        connection.execute(_AT_COMMIT.format(seconds=_AIMS_FOR, most=_ENDS).encode())


def _as_it_is(_scene: Scene, _worker: str) -> None:
    """Undo nothing: whoever was ended connects anew."""


def _no_disk(scene: Scene) -> str | None:
    return None if scene.disk is not None else f"PostgreSQL has no disk of its own here ({scene.machine.why_not})"


def _no_small_disks(scene: Scene) -> str | None:
    return None if scene.small else f"processes have no disks of their own here ({scene.machine.why_not})"


def _not_slowed(scene: Scene) -> str | None:
    return _no_disk(scene) or (scene.disk.cannot_slow() if scene.disk is not None else None)


def _fill(scene: Scene, _worker: str) -> None:
    assert scene.disk is not None
    scene.disk.fill()
    until = time.monotonic() + 2 * scene.lease
    while not scene.told(_FULL) and time.monotonic() < until:
        # What was free within its files is used up first, and what it gives back is taken.
        scene.disk.fill()
        time.sleep(0.1)


def _empty(scene: Scene, _worker: str) -> None:
    assert scene.disk is not None
    scene.disk.free()


def _fill_small(scene: Scene, _worker: str) -> None:
    for disk in scene.small:
        disk.fill()
    # Whoever has the duty writes there when it seals the audit log.
    until = time.monotonic() + SEAL_SECONDS + scene.lease
    while not scene.told(_NOT_SEALED) and time.monotonic() < until:
        time.sleep(0.1)


def _empty_small(scene: Scene, _worker: str) -> None:
    for disk in scene.small:
        disk.free()


def _slow(scene: Scene, _worker: str) -> None:
    assert scene.disk is not None
    scene.before.commits = scene.watcher.commits(_COMMITS)
    scene.disk.slow(scene.company.postgres_pid, SLOW)


def _is_slow(scene: Scene, _worker: str) -> int:
    """See it by commits of the proof's own: each is one write at the least."""
    before, now = scene.before.commits, scene.watcher.commits(_COMMITS)
    scene.say(f"   {_COMMITS} commits took {before:.2f} s before, and take {now:.2f} s.")
    return int(now >= max((_COMMITS - _SAVED) / SLOW, 2 * before))


def _fast(scene: Scene, _worker: str) -> None:
    assert scene.disk is not None
    scene.disk.fast()


def _cut_off(scene: Scene, _worker: str) -> None:
    if scene.way is None:
        scene.machine.cut_off()
    else:
        scene.way.hold()


def _join(scene: Scene, _worker: str) -> None:
    if scene.way is None:
        scene.machine.join()
    else:
        scene.way.let_go()


def _reaches_nobody(scene: Scene, worker: str) -> int:
    return int(scene.company.worker(worker).running and scene.lease_is_over(worker))


def _kill_leader(scene: Scene, _worker: str) -> None:
    until = time.monotonic() + _LEADS_WITHIN
    while (leader := scene.company.leader()) is None:
        if time.monotonic() > until:
            return
        time.sleep(0.1)
    scene.company.kill_node(leader)
    scene.before.nodes = [leader]


def _start_nodes(scene: Scene, _worker: str) -> None:
    scene.company.start_nodes()


def _kill_nodes(scene: Scene, _worker: str) -> None:
    for name in scene.company.nodes:
        scene.company.kill_node(name)
    scene.before.nodes = list(scene.company.nodes)


def _are_away(scene: Scene, _worker: str) -> int:
    """Count the nodes that were killed, if none of them is there."""
    nodes = scene.before.nodes
    return 0 if any(map(scene.company.reachable, nodes)) else len(nodes)


def _wipe(scene: Scene, worker: str) -> None:
    _kill_nodes(scene, worker)
    away = _are_away(scene, worker)
    scene.before.emptied = min(away, scene.company.start_nodes(wiped=True))


def _are_empty(scene: Scene, _worker: str) -> int:
    """Count the nodes whose disks are empty, if all are: a stream could come back from one that is not."""
    nodes, emptied = scene.company.nodes, scene.before.emptied
    return emptied if emptied == len(nodes) else 0


FAULTS = (
    Fault(
        name="postgres-killed",
        does="kill -9 of PostgreSQL's first process: it is gone without a word, and goes through its log",
        undone="it is started again at once",
        noticed=Noticed.BACK,
        strike=_kill_postgres,
        undo=_start_postgres,
        struck=_postgres_is_gone,
    ),
    Fault(
        name="postgres-restarted",
        does="PostgreSQL ends in order with open transactions given up (a fast shutdown)",
        undone="it is started again at once",
        noticed=Noticed.BACK,
        strike=_stop_postgres,
        undo=_start_postgres,
        struck=_postgres_is_gone,
    ),
    Fault(
        name="ended-at-commit",
        does="pg_terminate_backend of sessions that are found at their COMMIT",
        undone="they connect anew",
        noticed=Noticed.AT_ONCE,
        strike=_end_at_commit,
        undo=_as_it_is,
        struck=_ended,
    ),
    Fault(
        name="postgres-disk-full",
        does="the disk of PostgreSQL's data is full (ext4 on a loop device, filled to its last byte)",
        undone="room is made again; a server that ended is started",
        noticed=Noticed.BACK,
        strike=_fill,
        undo=_empty,
        struck=_is_full,
        lasts=lambda scene: scene.lease,
        cannot=_no_disk,
    ),
    Fault(
        name="disks-full",
        does="the disks of the hub's and all workers' data directories are full (tmpfs, filled to the last byte)",
        undone="room is made again",
        noticed=Noticed.AT_ONCE,
        strike=_fill_small,
        undo=_empty_small,
        struck=_was_not_sealed,
        cannot=_no_small_disks,
    ),
    Fault(
        name="disk-slow",
        does=f"PostgreSQL's disk takes {SLOW} writes a second (blkio.throttle of the loop device)",
        undone="it is as fast as it is",
        noticed=Noticed.OVER,
        strike=_slow,
        undo=_fast,
        struck=_is_slow,
        lasts=lambda scene: 2 * scene.lease,
        cannot=_not_slowed,
    ),
    Fault(
        name="worker-cut-off",
        does="a worker and the database reach each other no more, and nobody is told: packets vanish both ways "
        "(blackhole rules), or a proxy passes nothing on where there is no network of its own",
        undone="they reach each other again",
        noticed=Noticed.LEASE,
        worker=lambda scene: scene.busiest([scene.far]),
        strike=_cut_off,
        undo=_join,
        struck=_reaches_nobody,
        lasts=lambda scene: 2 * scene.lease,
        crash=True,
    ),
    Fault(
        name="nats-leader-killed",
        does="kill -9 of the leader of NATS's three nodes",
        undone="it is started again",
        noticed=Noticed.AT_ONCE,
        strike=_kill_leader,
        undo=_start_nodes,
        struck=_are_away,
        lasts=lambda _scene: 2.0,
    ),
    Fault(
        name="nats-wiped",
        does="all nodes of NATS are killed and come up with empty disks",
        undone="nothing: what was lost is published again",
        noticed=Noticed.AT_ONCE,
        strike=_wipe,
        undo=_as_it_is,
        struck=_are_empty,
    ),
    Fault(
        name="nats-away",
        does="all nodes of NATS are killed, and stay away",
        undone="they are started again",
        noticed=Noticed.AT_ONCE,
        strike=_kill_nodes,
        undo=_start_nodes,
        struck=_are_away,
        lasts=lambda scene: next(scene.away),
    ),
)
