"""What the console says after an order was carried out; the address carries only the word."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "replayed": "The replay is on its way. This is the new run.",
        "replayed-all": "The replays are on their way. Whatever still fails comes back here.",
        "asked-again": "The policy is asked again. The run goes on as soon as it lets it.",
        "cancelled": "The run is cancelled. What it had done stays done.",
        "assigned": "The exception is yours.",
        "released": "The exception has no owner now.",
        "event-released": "The event is released. What it started shows below.",
        "released-before": "The event had been released before; nothing begins twice.",
        "event-unwanted": "No flow of the present workspace wants this event; it is kept for the day when one does.",
        "events-released": "The events are released. What still cannot begin stays in the list.",
        "events-left": "Nothing could be released: no flow can begin with these events yet.",
        "closed": "The exception is closed. Its run stays parked as it is.",
        "paused": "The connection is paused. Its runs wait until somebody resumes it.",
        "resumed": "The connection takes work again.",
        "linked": "The ids are tied together. Runs that waited for them go on.",
        "welcome": "You are the administrator of this hub.",
        "signed-out": "You are signed out.",
    }
)
