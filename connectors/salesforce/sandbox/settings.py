"""What a test may set about the org while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True, kw_only=True)
class Settings:
    """The org's settings; times are seconds.

    Logins: `session_seconds` (idle), `rotate_refresh_tokens`, `logins_per_hour`, `approved` (the app may be used).
    Limits: `daily_requests`, `concurrent_requests` of those that run longer than `long_running_seconds`, `latency`
    of each request, `daily_bulk_records`, `daily_query_jobs`. Queries: `rows_per_page`, `child_rows_per_page`,
    `cursor_seconds`, `aggregate_rows`. Jobs: `bulk_seconds`, `bulk_batch_rows`. Replication: `delete_log_entries` are
    what the log of deletions has room for, `open_transaction_seconds` for how long the oldest open transaction has been
    running, `replication_ids` how many ids one answer may have. Messages: `message_speed` divides their waits,
    `message_seconds` is how long an answer may take.
    """

    session_seconds: float = 7200.0
    rotate_refresh_tokens: bool = False
    logins_per_hour: int = 3600
    approved: bool = True
    api_enabled: bool = True
    is_sandbox: bool = False
    oldest_version: int = 31
    daily_requests: int = 100_000
    concurrent_requests: int = 25
    long_running_seconds: float = 20.0
    latency: float = 0.0
    daily_bulk_records: int = 150_000_000
    daily_query_jobs: int = 10_000
    rows_per_page: int = 2000
    child_rows_per_page: int = 200
    cursor_seconds: float = 2 * 86_400.0
    aggregate_rows: int = 2000
    bulk_seconds: float = 0.2
    bulk_batch_rows: int = 10_000
    delete_log_entries: int = 10_000
    open_transaction_seconds: float = 0.0
    replication_ids: int = 600_000
    message_speed: float = 1.0
    message_seconds: float = 60.0

    def change(self, wish: Mapping[str, Any]) -> None:
        """Take over settings; raises `ValueError` for one that there is not, or that is of another kind."""
        known = {field.name: field for field in fields(self)}
        for name, value in wish.items():
            if name not in known:
                raise ValueError(f"settings: unknown {name!r}; known are {', '.join(sorted(known))}")
            standing = getattr(self, name)
            if isinstance(standing, bool) is not isinstance(value, bool) or isinstance(value, str | list | dict):
                raise ValueError(f"settings.{name}: {value!r} does not fit {standing!r}")
            setattr(self, name, type(standing)(value) if not isinstance(standing, bool) else value)
