"""Processes that end with whoever started them, even if that one was killed and could tell nobody.

The one that starts holds the writing end of a pipe and never writes; a kernel closes it with its last holder. Whoever
was started waits at the other end, in a thread of its own, for the end of the file. That works on every Unix, and a
process number that was given anew to somebody else is never looked at.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping

#: The variable that tells a process which of its descriptors the pipe is.
VARIABLE = "CONCORD_LIFELINE"


class Lifeline:
    """What the one that starts others holds; they end when it is closed, or gone."""

    def __init__(self) -> None:
        """Open the pipe; it is inherited by nobody who is not told of it."""
        self._theirs, self._ours = os.pipe()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Give what a process that is started has to inherit."""
        return (self._theirs,)

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Give the environment of a process that is started: `environ`, and where its end of the pipe is."""
        return {**environ, VARIABLE: str(self._theirs)}

    def close(self) -> None:
        """Let go of it; who still runs is ended by that."""
        os.close(self._ours)
        os.close(self._theirs)


def hold(also: Callable[[], object] = lambda: None) -> None:
    """End this process when the one that started it is gone; nothing where it was started without a lifeline.

    `also` is called before: it ends what knows nothing of lifelines.
    """
    named = os.environ.pop(VARIABLE, None)
    if named is None:
        return
    descriptor = int(named)
    # What this process starts is its own business.
    os.set_inheritable(descriptor, False)
    _watch(lambda: os.read(descriptor, 1), also)


def hold_in_pool() -> None:
    """End this process of a pool when the one that made the pool is gone; nothing in a process that is in none."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        _watch(parent.join, lambda: None)


def _watch(wait: Callable[[], object], also: Callable[[], object]) -> None:
    def end() -> None:
        wait()
        also()
        # Nobody is left who would want an orderly end, and none of what these processes do needs one.
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end, name="lifeline", daemon=True).start()
