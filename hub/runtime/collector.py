"""Python's cycle collector, set for a process that serves for long."""

from __future__ import annotations

import gc

#: New objects between two collections of the youngest. At the interpreter's 700 a quarter of the time of a busy
#: door goes into collections, which find next to nothing: what a request leaves behind is freed without them.
_YOUNGEST = 20_000
#: Collections of one generation between two of the next. An error that is kept holds the frames it came through, and
#: these the error: where much fails, such rings must not gather to hundreds of megabytes.
_OLDER, _OLDEST = 10, 5


def settle() -> None:
    """Call it once all that stays for good is loaded: that is never looked through again, and the rest more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNGEST, _OLDER, _OLDEST)
