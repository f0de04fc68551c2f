"""How many calls were made in the last twenty-four hours, and how many long ones are under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

_DAY = 86_400.0
#: Calls are counted together by so many seconds.
_GRAIN = 60.0


class Usage:
    """Counts calls as Salesforce does: a composite request is one."""

    def __init__(self, org: Org) -> None:
        """Start with nothing counted."""
        self._org = org
        self._counts: deque[list[float]] = deque()
        self._under_way: dict[int, float] = {}
        self._next = 0
        #: What is counted on top, as if other applications had called.
        self.others = 0
        self.refused = 0
        self.bulk_records = 0
        self.query_jobs = 0

    @property
    def of_the_day(self) -> int:
        """Give how many calls of the last 24 hours count."""
        self._forget()
        return self.others + sum(int(count) for _, count in self._counts)

    def header(self) -> str:
        """Give the value of `Sforce-Limit-Info`."""
        return f"api-usage={self.of_the_day}/{self._org.settings.daily_requests}"

    def count(self) -> None:
        """Count one call; refuses it when the day's are used up."""
        if self.of_the_day >= self._org.settings.daily_requests:
            self.refused += 1
            raise Refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
        now = self._org.clock.monotonic()
        if not self._counts or now - self._counts[-1][0] > _GRAIN:
            self._counts.append([now, 0])
        self._counts[-1][1] += 1

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Hold a place while a call runs; refuses it while too many have been running for long."""
        settings, now = self._org.settings, self._org.clock.monotonic()
        long = sum(now - begun >= settings.long_running_seconds for begun in self._under_way.values())
        if long >= settings.concurrent_requests:
            self.refused += 1
            raise Refusal(
                "REQUEST_LIMIT_EXCEEDED",
                "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
                status=403,
            )
        self._next += 1
        number = self._next
        self._under_way[number] = now
        try:
            yield
        finally:
            del self._under_way[number]

    def limits(self) -> dict[str, Any]:
        """Give the limits as the `limits` resource lists them."""
        settings = self._org.settings
        left = max(settings.daily_requests - self.of_the_day, 0)
        return {
            "ConcurrentAsyncGetReportInstances": _limit(200, 200),
            "DailyApiRequests": _limit(settings.daily_requests, left),
            "DailyAsyncApexExecutions": _limit(250_000, 250_000),
            "DailyBulkApiBatches": _limit(15_000, 15_000),
            "DailyBulkV2QueryFileStorageMB": _limit(976_562, 976_562),
            "DailyBulkV2QueryJobs": _limit(settings.daily_query_jobs, settings.daily_query_jobs - self.query_jobs),
            "DataStorageMB": _limit(1024, 1000),
            "FileStorageMB": _limit(1024, 1000),
            "HourlyODataCallout": _limit(1000, 1000),
            "SingleEmail": _limit(5000, 5000),
        }

    def _forget(self) -> None:
        now = self._org.clock.monotonic()
        while self._counts and now - self._counts[0][0] >= _DAY:
            self._counts.popleft()


def _limit(most: int, left: int) -> dict[str, int]:
    return {"Max": most, "Remaining": left}
