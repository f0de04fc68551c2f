"""A process that is stopped in the middle of its group holds nobody up for long, and loses and repeats nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.shared.desk import Desk, Put

pytestmark = pytest.mark.processes

STOPS = """
import asyncio, signal, sys, threading
from pathlib import Path
from hub.runtime.clock import system_ambient
from hub.store.committer import Committer
from hub.store.database import Database
from tests.shared.desk import Put

once = iter([1])

def stop():
    for _ in once:
        print("in", flush=True)
        # Sent to the process, another thread might be the one that takes it, while this one goes on.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

async def main():
    database = Database(Path(sys.argv[1]), sys.argv[2])
    committer = Committer(database, system_ambient())
    committer.start()
    await asyncio.gather(committer.commit(Put(number=1, during=stop)), committer.commit(Put(number=2)))
    await committer.stop()
    database.close()
    print("done", flush=True)

asyncio.run(main())
"""


async def test_others_go_on_after_a_second_and_the_stopped_one_makes_its_group_again(desk: Desk) -> None:
    async with desk.committing() as committer:
        await committer.commit(Put(number=0))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STOPS, str(desk.folder / "stopped"), desk.direct),
            stdout=subprocess.PIPE,
            # The system lets stopped processes of a group go on whose leader's parent ends.
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            assert await process.stdout.readline() == b"in\n"
            began = time.monotonic()
            assert await committer.commit(Put(number=3)) == 3
            assert time.monotonic() - began < 2.0
            assert desk.written() == {0: 1, 3: 1}
            os.kill(process.pid, signal.SIGCONT)
            said = await asyncio.wait_for(process.stdout.read(), 20)
            assert b"commit.cut_off" in said
            assert said.endswith(b"done\n")
        finally:
            # It may have ended just now, and nobody has been told of it yet.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            assert await asyncio.wait_for(process.wait(), 20) == 0
    assert desk.written() == {0: 1, 1: 1, 2: 1, 3: 1}
    assert desk.audited() == 4
