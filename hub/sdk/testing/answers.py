"""Checks of how answers are read: whatever comes back, a connector says what to do and never breaks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import product

import pytest

from hub.sdk.connector import Record, WriteOperation
from hub.sdk.errors import FixConnection, HubError, OutcomeUnknown, RetryLater
from hub.sdk.testing.hostile import BODIES, WAITS, naming
from hub.sdk.testing.subject import Subject
from hub.sdk.testing.writes import KEY
from hub.sdk.values import Response

#: After these a write may or may not have happened: the request reached someone who then gave up.
_BROKE_OFF = frozenset({408, 500, 502, 504})
#: The longest sentence that belongs into a case.
_LONGEST = 2_000
_DAY = 86_400.0


class AnswerChecks(Subject):
    """Failures are sorted by what to do, and only what says so is a success."""

    @pytest.mark.parametrize("name", BODIES)
    def test_classify_takes_anything(self, name: str) -> None:
        """Every status with a hostile body is a success or a HubError; above 299 it is never a success."""
        for status in range(200, 600):
            error = self._classify(Response(status=status, headers={"content-type": "text/html"}, body=BODIES[name]))
            if status >= 300:
                assert error is not None, f"{status} with {name} counts as a success"
                assert len(str(error)) <= _LONGEST, f"{status} with {name} makes a sentence of {len(str(error))} signs"

    @pytest.mark.parametrize("wait", WAITS)
    @pytest.mark.parametrize("status", [429, 503])
    def test_waits_are_sensible(self, status: int, wait: str) -> None:
        """A wait that cannot be read is no wait; one that can be read is finite."""
        error = self._classify(Response(status=status, headers={"retry-after": wait}, body=b""))
        assert isinstance(error, RetryLater), f"{status} must be tried again later"
        after = error.after
        assert after is None or (math.isfinite(after) and after >= 0), f"{wait!r} became a wait of {after} seconds"

    def test_wait_is_taken_over(self) -> None:
        """The vendor's own wait counts."""
        error = self._classify(Response(status=429, headers={"retry-after": "7"}, body=b""))
        assert isinstance(error, RetryLater), "429 must be tried again later"
        assert error.after == 7, f"`Retry-After: 7` became {error.after}"

    @pytest.mark.parametrize("name", BODIES)
    def test_families_follow_the_status(self, name: str) -> None:
        """Where the body tells nothing: 401 is for the connection, 429 waits, and a broken-off call is unknown."""
        for status, family in ((401, FixConnection), (429, RetryLater), *((one, OutcomeUnknown) for one in _BROKE_OFF)):
            error = self._classify(Response(status=status, body=BODIES[name]))
            assert isinstance(error, family), f"{status} with {name} is {type(error).__name__}, not {family.__name__}"
        for status in range(500, 600):
            error = self._classify(Response(status=status, body=BODIES[name]))
            assert isinstance(error, RetryLater | OutcomeUnknown), f"{status} with {name} is {type(error).__name__}"

    def test_result_takes_anything(self, write: WriteOperation) -> None:
        """A hostile answer under a success status is refused, or gives a record that fits the output."""
        for name in BODIES:
            with naming(name):
                self._makes_sense(write, name)

    def test_found_takes_anything(self, write: WriteOperation) -> None:
        """An answer that is not the look-up's own never reads as `there is none`: that would send the write again."""
        if write.found is None:
            return
        for name, body in BODIES.items():
            with naming(name), pytest.raises(HubError):
                write.found(Response(status=200, body=body), KEY)

    def _makes_sense(self, write: WriteOperation, name: str) -> None:
        for read, status in product(self._readings(write), (200, 201, 204)):
            try:
                record = read(Response(status=status, body=BODIES[name]))
            except RetryLater:
                pytest.fail("after a success status nobody knows that nothing was done")
            except HubError:
                continue
            assert name != "login page", "a login page counts as a success"
            assert not self.mistakes(write.output, record), f"{name} gives {record}"

    def _readings(self, write: WriteOperation) -> Iterable[Callable[[Response], Record]]:
        """Give each way in which an answer is read: by itself, or beside what each sample sends."""
        if write.beside is None:
            return [write.result]
        samples = [sample for sample in self.samples.writes if sample.operation == write.name]
        assert samples, f"{write.name} reads its answers beside what was sent, and no sample is sent"
        requests = [write.request(self.made_up(), sample.input, KEY) for sample in samples]
        return [partial(write.beside, request) for request in requests]

    def _classify(self, response: Response) -> HubError | None:
        error = self.connector.classify(response)
        assert error is None or isinstance(error, HubError), f"`classify` gave {error!r}"
        return error
