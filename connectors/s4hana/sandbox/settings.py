"""Switches of a tenant that the control API sets, with what holds without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True, kw_only=True)
class Settings:
    """All durations are in seconds of the sandbox's clock.

    - `page_size`: rows of one answer at the most; `page_sizes`: by service, where it is another
    - `expanded_rows`: rows behind one navigation that an answer expands at the most; 0: all of them
    - `session_seconds`: how long a session, and the CSRF token bound to it, lives without requests
    - `reporting_delay`: how long postings are not yet seen in line items and cubes
    - `posting_seconds`: how long an asynchronous journal entry waits before it is posted
    - `confirmation_url`: where its confirmation is sent to; empty: nowhere
    - `confirmation_authorization`: the header `Authorization` that it bears; empty: none
    - `clearing`: whether items of a customer that add up to zero are cleared `at_once`, or `never`
    - `negative_postings`: `allow`, or `block` amounts whose sign contradicts the debit/credit code
    - `duplicate_orders`: `ignore`, or `warn` of a second order with the same `PurchaseOrderByCustomer`
    - `read_only_properties`: whether a write that gives what only SAP determines is to `refuse`, or to `ignore` it
    - `changed_events`: how many Changed events one save of a business partner raises
    - `repeatability`: services that know `RequestID`, and for how many seconds they keep it
    - `limit_status`, `limit_seconds`: what is answered beyond the limits (429 or 503), and its Retry-After
    - `latency`: how long every request takes, in real seconds
    """

    page_size: int = 1000
    page_sizes: Mapping[str, int] = field(default_factory=dict)
    expanded_rows: int = 0
    session_seconds: float = 1800.0
    reporting_delay: float = 0.0
    posting_seconds: float = 5.0
    confirmation_url: str = ""
    confirmation_authorization: str = ""
    clearing: str = "at_once"
    negative_postings: str = "allow"
    duplicate_orders: str = "ignore"
    read_only_properties: str = "refuse"
    changed_events: int = 2
    repeatability: tuple[str, ...] = ()
    repeatability_seconds: float = 86_400.0
    limit_status: int = 429
    limit_seconds: int = 1
    latency: float = 0.0

    def set(self, name: str, value: Any) -> None:
        """Set one switch; raises `ValueError` for one that is not there or a value that it cannot have."""
        known = {each.name for each in fields(self)}
        if name not in known:
            raise ValueError(f"settings: unknown key {name}; known are {', '.join(sorted(known))}")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ValueError(f"settings.{name} is one of {', '.join(map(str, _CHOICES[name]))}")
        standing = getattr(self, name)
        if isinstance(standing, Mapping):
            value = {str(each): int(size) for each, size in value.items()}
            if min(value.values(), default=1) < 1:
                raise ValueError(f"settings.{name} must be positive")
        elif isinstance(standing, tuple):
            value = tuple(str(each) for each in value)
        elif isinstance(standing, str):
            value = str(value)
        else:
            value = type(standing)(value)
            if value < 0 or (name == "page_size" and value < 1):
                raise ValueError(f"settings.{name} must be positive")
        setattr(self, name, value)


_CHOICES: Mapping[str, tuple[str | int, ...]] = {
    "clearing": ("at_once", "never"),
    "negative_postings": ("allow", "block"),
    "duplicate_orders": ("ignore", "warn"),
    "read_only_properties": ("refuse", "ignore"),
    "limit_status": (429, 503),
}
