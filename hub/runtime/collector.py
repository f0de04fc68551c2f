"""Python's cycle collector, and the turns of its threads, set for a process that serves for long."""

from __future__ import annotations

import gc
import sys

#: New objects between two collections of the youngest. At the interpreter's 700 a quarter of the time of a busy
#: door goes into collections, which find next to nothing: what a request leaves behind is freed without them.
_YOUNGEST = 20_000
#: Collections of one generation between two of the next. An error that is kept holds the frames it came through, and
#: these the error: where much fails, such rings must not gather to hundreds of megabytes.
_OLDER, _OLDEST = 10, 5
#: Seconds that a thread computes while another one waits for its turn. The committing thread comes back from a server
#: some times for each group; at the interpreter's 5 ms it waits longer for a busy door than for the server, which has
#: nothing to do meanwhile.
_TURN = 0.0005


def settle() -> None:
    """Call it once all that stays for good is loaded: that is never looked through again, and the rest more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNGEST, _OLDER, _OLDEST)


def take_turns() -> None:
    """Call it where the database is a server: a thread that comes back from it goes on soon."""
    sys.setswitchinterval(_TURN)
