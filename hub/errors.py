"""Every error of the hub, grouped by what the caller must do.

Each family answers one question: may the same thing be tried again, by whom, and after what?
Errors take facts, never sentences made elsewhere; a class's docstring is the sentence a person reads.
HTTP statuses are chosen at the doors (`hub.api`), never here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any


class HubError(Exception):
    """Something went wrong in the hub."""

    code = "hub-error"
    #: Set of what befell a later call of a write that takes several: an earlier one has changed something.
    begun = False

    def __init__(self, detail: str = "", *, code: str | None = None, **facts: object) -> None:
        """Take what happened (`detail`), a stable reason `code`, and the facts a person needs to act."""
        if code is not None:
            self.code = code
        self.detail = detail or (type(self).__doc__ or "").strip().splitlines()[0]
        self.facts: Mapping[str, object] = facts
        super().__init__(self.detail)

    def __str__(self) -> str:
        """Give the sentence with its facts."""
        if not self.facts:
            return self.detail
        return f"{self.detail} ({', '.join(f'{name}: {fact}' for name, fact in self.facts.items())})"


# --- retry: the same attempt may be made again later -------------------------------------------


class RetryLater(HubError):
    """The other side could not serve the request now, so it is tried again.

    Of a write it says that nothing was done only as `NotSent`, `NotBegun` or `LimitReached`: any gateway may answer
    503 after the system behind it has done its work.
    """

    code = "retry-later"

    def __init__(
        self, detail: str = "", *, after: float | None = None, code: str | None = None, **facts: object
    ) -> None:
        """Carry the wait the other side asked for: `after` in seconds, None when it named none."""
        super().__init__(detail, code=code, **facts)
        self.after = after
        #: The account's row in which to wait for another try, such as `limit:production:netsuite`; None: by time.
        self.on: str | None = None


class NotDurable(RetryLater):
    """Nothing new can be made durable just now, and nothing was changed."""

    code = "not-durable"


class StorageFull(NotDurable):
    """The disk is full: nothing new can be made durable, and nothing was changed."""

    code = "storage-full"


class DatabaseAway(NotDurable):
    """The database cannot be reached, or takes no changes just now; nothing was changed."""

    code = "database-away"


class CommitUnknown(RetryLater):
    """The database went away while it stored the change, which may have been made: look before you order it again."""

    code = "commit-unknown"


class Stopping(RetryLater):
    """The hub is stopping and takes nothing new; it or another one takes it in a moment."""

    code = "stopping"


class Behind(RetryLater):
    """The hub has more in hand than it can make durable in a moment; nothing of this was taken."""

    code = "behind"


class TooMuchAtOnce(RetryLater):
    """One sender has more under way than its share; nothing of this was taken."""

    code = "too-much-at-once"


class NotSent(RetryLater):
    """The request did not leave this machine: no connection could be made."""

    code = "not-sent"


class NotBegun(RetryLater):
    """The other side says itself that it did not begin with the request, or took back what it began."""

    code = "not-begun"


# --- wait: a limit or a condition holds the work back, nobody has to act ----------------------


class LimitKind(StrEnum):
    """Which limit of an account was reached; `object`: only what the request is about is busy."""

    RATE = "rate"
    CONCURRENCY = "concurrency"
    QUOTA = "quota"
    OBJECT = "object"


class LimitReached(RetryLater):
    """The vendor refused the request because a limit was reached; nothing was done."""

    code = "limit-reached"

    def __init__(
        self,
        detail: str = "",
        *,
        after: float | None = None,
        code: str | None = None,
        kind: LimitKind = LimitKind.RATE,
        **facts: object,
    ) -> None:
        """Carry the wait that was asked for, and which limit it was."""
        super().__init__(detail, after=after, code=code, **facts)
        self.kind = kind


class WaitFor(HubError):
    """The run waits for something that is still to come."""

    code = "waiting"
    #: What the wait is called: a `WaitKind`.
    kind = "event"

    def __init__(
        self,
        detail: str = "",
        *,
        on: str | None = None,
        until: datetime | None = None,
        come: Callable[[Any], bool] | None = None,
        **facts: object,
    ) -> None:
        """Name what is awaited (`on`, such as `crossref:invoice:stripe:in_1:netsuite`) and until when.

        `come` tells in the transaction that records the wait (it is given its connection) whether it has come already,
        since nobody would wake the run for that any more.
        """
        super().__init__(detail, code=None, **facts)
        self.on = on
        self.until = until
        self.come = come


class WaitUntil(WaitFor):
    """The run waits for a time."""

    code = "waiting-for-time"
    kind = "timer"


class Held(WaitFor):
    """A policy holds the write; nothing goes out until it says otherwise."""

    code = "held"
    kind = "hold"


class OnHold(Held):
    """A person holds the run, its key or its flow; nothing goes out until it is resumed."""

    code = "on-hold"


class ApprovalPending(WaitFor):
    """People have not agreed yet to what the run would write."""

    code = "approval-pending"
    kind = "approval"


class ApprovalLapsed(RetryLater):
    """An approval no longer holds, so the write did not go out; it is asked for anew."""

    code = "approval-lapsed"


# --- fix the connection: credentials or settings are wrong ------------------------------------


class FixConnection(HubError):
    """The vendor did not accept the connection's credentials or rights."""

    code = "fix-connection"
    #: The account in use that was refused; one that was made anew meanwhile has other credentials.
    account: object | None = None


class ConnectionPaused(FixConnection):
    """The connection is paused; its runs wait until somebody resumes it."""

    code = "connection-paused"


# --- fix the data: a person must mend a document, a crossref, a mapping -----------------------


class FixData(HubError):
    """The vendor or a check refused the data; sending it again unchanged cannot help."""

    code = "fix-data"


class NoSuchRecord(FixData):
    """The target has no record of this id, or none any more; nothing was read or written."""

    code = "not-found"


class NotMapped(FixData):
    """A table or a crossref has no entry for this value."""

    code = "not-mapped"


class NotApproved(FixData):
    """What people were asked for was refused, or nobody agreed in time."""

    code = "not-approved"


class PossibleDuplicate(FixData):
    """A record may be about a thing that is known by another record; a person says whether it is."""

    code = "possible-duplicate"


class HubDefect(FixData):
    """The hub failed on this run; this is a defect of the hub, and its maintainers want to know."""

    code = "internal-error"


# --- refuse: the request itself is not allowed or makes no sense ------------------------------


class Refused(HubError):
    """The request was refused."""

    code = "refused"


class NotFound(Refused):
    """There is no such thing."""

    code = "not-found"


class Conflict(Refused):
    """The request does not fit the present state."""

    code = "conflict"


class NotAllowed(Refused):
    """The person or token has no right to do this."""

    code = "not-allowed"


class NotAuthenticated(Refused):
    """Nobody is signed in, or the token is not valid."""

    code = "not-authenticated"


class WebhookRejected(Refused):
    """A webhook could not be trusted."""

    code = "webhook-rejected"


class UnreadableWebhook(Refused):
    """A webhook is signed but cannot be read."""

    code = "webhook-unreadable"


class WorkspaceInvalid(Refused):
    """The workspace has errors; `concord check` lists them."""

    code = "workspace-invalid"


class NotUnderstood(WorkspaceInvalid):
    """This process cannot make sense of a revision; others that share its data, of a newer version, may."""

    code = "revision-not-understood"


# --- unknown: an outside write may or may not have happened -----------------------------------


class OutcomeUnknown(HubError):
    """The write may or may not have happened; it must be looked up, never guessed."""

    code = "outcome-unknown"
    #: The account's row in which to wait before it is found out, as for `RetryLater`.
    on: str | None = None

    def __init__(
        self, detail: str = "", *, after: float | None = None, code: str | None = None, **facts: object
    ) -> None:
        """Carry the seconds after which it is to be found out at the earliest; None when there are none."""
        super().__init__(detail, code=code, **facts)
        self.after = after


class Settling(OutcomeUnknown):
    """The write may still appear at the target; only later does its absence say that it was not done."""

    code = "settling"


class OutcomeParked(HubError):
    """The write may or may not have happened, and the target gives no way to look; a person must find out."""

    code = "outcome-unknown"


class ProcessDied(HubError):
    """One process after the other has died while it had the run in hand, and nothing of the run got any further."""

    code = "process-died"


class StandsAlready(HubError):
    """What an earlier run has written does not fit what this one would write; a person has to decide."""

    code = "left-standing"


# --- stop: going on would break a promise -----------------------------------------------------


class StaleLease(HubError):
    """Another worker owns this run now; nothing of this worker's work may be recorded."""

    code = "stale-lease"


class ToldToStop(HubError):
    """A person ordered the run to end; nothing more of it may begin."""

    code = "told-to-stop"


class Fatal(HubError):
    """The process must stop: durability or integrity can no longer be promised."""

    code = "fatal"
