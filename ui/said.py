"""What the console says after an order was carried out; the address carries only the word."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "replayed": "The replay is on its way. This is the new run.",
        "asked-again": "The policy is asked again. The run goes on as soon as it lets it.",
        "cancelled": "The run is cancelled. What it had done stays done.",
        "cancelling": "The run ends as soon as it is known what became of its last write.",
        "undoing": "The run takes back what it did, the last write first.",
        "repeated": "The writes are made once more. This is the new run.",
        "held": "It is held: nothing new of it goes out until somebody resumes it.",
        "let-go": "It goes on, and so do the runs that waited for it.",
        "settled": "Your word is recorded. The run goes on from there.",
        "settled-one": "Your word is recorded. The run goes on once its other writes in doubt are settled, too.",
        "settled-alone": "Your word is recorded. No run waits for it.",
        "agreed": "Your word is recorded. Somebody else must agree, too.",
        "approved": "It is approved, and the run goes on.",
        "refused": "It is refused. The run writes nothing more and becomes an exception.",
        "assigned": "The exception is yours.",
        "released": "The exception has no owner now.",
        "event-released": "The event is released. What it started shows below.",
        "released-before": "The event had been released before; nothing begins twice.",
        "event-unwanted": "No flow of the present workspace wants this event; it is kept for the day when one does.",
        "closed": "The exception is closed. Its run stays parked as it is.",
        "connected": "The account is connected, and the hub uses it from now on.",
        "connected-to-publish": "The account is connected. It serves once its files are published: see Revisions.",
        "connected-to-start": "The account is connected. It serves from the hub's next start on.",
        "paused": "The connection is paused. Its runs wait until somebody resumes it.",
        "resumed": "The connection takes work again.",
        "started": "The flow is started. Its run shows below.",
        "schedule-held": "The schedule starts nothing until somebody resumes it.",
        "schedule-resumed": "The schedule goes on with its next time.",
        "backfill-ordered": "The span is read again, behind everything else.",
        "backfill-cancelled": "The back-fill has ended. What it has brought stays.",
        "gap-settled": "Your word is recorded, and the alarm ends.",
        "linked": "The ids are tied together. Runs that waited for them go on.",
        "said-same": "They are one thing now. Replay the exception: its run goes on with what is there.",
        "said-different": "They are different for good. Replay the exception: its run makes one of its own.",
        "split": "The merge is taken back. The two are different things from now on.",
        "preferred": "Others are given this id from now on.",
        "untied": "The id names nothing any more.",
        "moved": "It stands there now, with all that is below it.",
        "welcome": "You are the administrator of this hub.",
        "signed-out": "You are signed out.",
    }
)
