"""What a sending shows about a write: pure decisions, so that each can be read and tested by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from hub.errors import (
    FixConnection,
    FixData,
    HubError,
    LimitReached,
    NotBegun,
    NotSent,
    OutcomeParked,
    OutcomeUnknown,
    Refused,
    RetryLater,
)
from hub.model.ambient import of_micros, to_micros
from hub.model.effect import REFUSED_IN_DOUBT, EffectKey, EffectState
from hub.model.exchange import Request
from hub.sdk import exact_json

Row = Mapping[str, Any]

#: What a target says about a request itself, and would say again.
REFUSALS = (FixData, Refused)
#: So often the same failure in a row says that the target keeps it under the key, and will never say anything else.
STUCK = 3
#: A request leaves so soon after it was recorded that it does, or that is recorded anew.
LEAVES_WITHIN = timedelta(seconds=2)
#: What is sent so shortly before a target may forget its key could arrive after that.
_IN_TIME = timedelta(minutes=5)


def surely_nothing(error: HubError, answered: int | None) -> bool:
    """Tell whether a sending that ended so did nothing; `answered` is the status of the target's answer, None without.

    A target's own refusal says so, and so does a request that never left. Whatever is answered with 5xx or a redirect
    may come from a gateway after the target has done its work, whoever understood it as what.
    """
    if isinstance(error, NotSent | NotBegun | LimitReached):
        return True
    if answered is None:
        # Without an answer to this request: its token could not be had, or its host may not be reached.
        return not isinstance(error, OutcomeUnknown)
    refused = isinstance(error, FixData | Refused | FixConnection)
    return refused and (200 <= answered < 300 or 400 <= answered < 500)


def state_after(error: HubError, answered: int | None, *, first: bool) -> EffectState:
    """Say how an effect stands after a sending failed.

    A repeat that surely did nothing says nothing of what was sent before it: a gateway may have refused it, or what the
    first one has changed.
    """
    return EffectState.FAILED if first and surely_nothing(error, answered) else EffectState.UNKNOWN


def outcome(
    row: Row,
    state: EffectState,
    *,
    output: Any = None,
    reason: str | None = None,
    status: int | None = None,
    sent: datetime | None = None,
    finished: datetime | None = None,
    renewals: int | None = None,
    version: str | None = None,
) -> dict[str, Any]:
    """Form what is recorded of an effect's outcome; `status` is that of the target's answer, `version` what stands.

    `finished` is when the exchange was over, also one that leaves the outcome unknown: by then the request had left.
    """
    again = status is not None and status == row.get("status")
    before = row.get("finished_at") if state is EffectState.UNKNOWN else None
    return {
        "key": row["key"],
        "state": state.value,
        "output": None if output is None else exact_json.dumps(output).decode(),
        "reason": reason,
        "status": status,
        "repeats": (row.get("repeats") or 0) + 1 if again else 0,
        "renewals": (row.get("renewals") or 0) if renewals is None else renewals,
        "version": row.get("version") if version is None else version,
        "sent_at": row["sent_at"] if sent is None else to_micros(sent),
        "finished_at": before if finished is None else to_micros(finished),
    }


def answer(row: Row) -> Any:
    """Give what a write that is done has given; `FixData` when retention has taken it away."""
    if row["output"] is None:
        raise FixData(
            "The write was made long ago, and what the target answered to it was pruned.",
            code="answer-pruned",
            effect=row["key"],
            business_key=row["business_key"],
        )
    return exact_json.loads(row["output"])


def sending(row: Row, at: datetime, *, first: bool = False) -> dict[str, Any]:
    """Form what is recorded before a request goes out later than was said (`first`), or again; all else stays."""
    kept = {name: row.get(name) for name in ("reason", "status", "version")}
    counts = {name: row.get(name) or 0 for name in ("repeats", "renewals")}
    return {
        "key": row["key"],
        "state": (EffectState.INTENT if first else EffectState.UNKNOWN).value,
        "output": None,
        "sent_at": to_micros(at),
        "finished_at": None,
        **kept,
        **counts,
    }


def leaves_in_time(recorded: datetime, now: datetime) -> bool:
    """Tell whether a request may still leave that was recorded as going out; later it has to be recorded anew.

    A clock that was set back says nothing of how long ago that was.
    """
    return abs(now - recorded) <= LEAVES_WITHIN


def is_stuck(row: Row) -> bool:
    """Tell whether the target gives one and the same failure for this key, as one does that keeps its first answer."""
    return bool((row.get("status") or 0) >= 500 and (row.get("repeats") or 0) + 1 >= STUCK)


def was_refused(row: Row) -> bool:
    """Tell whether the last answer about a write of unknown outcome was a refusal."""
    return 400 <= (row.get("status") or 0) < 500


def is_forgotten(row: Row, remembers: float, now: datetime, *, since: datetime | None = None) -> bool:
    """Tell whether the target may have forgotten the key, so that it would take a repeat for a new write.

    `since` is when it may have been sent first, where that can be before it was recorded.
    """
    first = of_micros(row["created_at"])
    return now - (first if since is None else min(first, since)) > timedelta(seconds=remembers) - _IN_TIME


def settling(row: Row, seconds: float, now: datetime, *, timeout: float, after: datetime | None = None) -> float:
    """Give for how many seconds more the write may still appear; it may have gone out until `after`, if not later.

    `seconds` is how long after leaving it may appear. Of an exchange that nobody saw the end of it is known only that
    it began in time after it was recorded, and did not take longer than `timeout` seconds.
    """
    begun = LEAVES_WITHIN + timedelta(seconds=timeout)
    known = row["state"] == EffectState.UNKNOWN and row.get("finished_at") is not None
    left = of_micros(row["finished_at"]) if known else of_micros(row["sent_at"] or row["created_at"]) + begun
    if after is not None:
        left = max(left, after + begun)
    return (left + timedelta(seconds=seconds) - now).total_seconds()


def key_at_target(key: str, renewals: int) -> EffectKey:
    """Give the key under which a write goes out: its own, or another one each time the last was surely used up."""
    if renewals == 0:
        return EffectKey(key)
    return EffectKey(hashlib.sha256(f"{key}\x1f{renewals}".encode()).hexdigest()[:32])


def recorded_request(row: Row) -> Request:
    """Give the request as it was recorded: byte for byte what went out, or would have."""
    return Request(
        method=row["method"], url=row["url"], headers=exact_json.loads(row["headers"]), body=bytes(row["body"])
    )


def is_request(row: Row, request: Request) -> bool:
    """Tell whether a recorded write is this request; a service may have moved to another host since."""
    url, now = urlsplit(row["url"]), urlsplit(request.url)
    return (
        row["body_hash"] == hashlib.sha256(request.body).hexdigest()
        and row["method"] == request.method
        and (url.path, url.query) == (now.path, now.query)
    )


def under_another_key(request: Request, old: str, new: str) -> Request:
    """Give the same request with another key in the place of the old one, and nothing else changed."""
    return Request(
        method=request.method,
        url=request.url.replace(old, new),
        headers={name: value.replace(old, new) for name, value in request.headers.items()},
        body=request.body.replace(old.encode(), new.encode()),
    )


def columns_of(request: Request) -> dict[str, Any]:
    """Give what is recorded of a request."""
    return {
        "method": request.method,
        "url": request.url,
        "headers": exact_json.dumps(dict(request.headers)).decode(),
        "body": request.body,
        "body_hash": hashlib.sha256(request.body).hexdigest(),
    }


def named(error: HubError) -> str:
    """Name an error as an attempt's outcome: vendors have many names for a limit, which counts must know by one."""
    return LimitReached.code if isinstance(error, LimitReached) else error.code


def status_of(error: HubError) -> int | None:
    """Give the status that an error tells of."""
    status = error.facts.get("status")
    return status if isinstance(status, int) else None


def wait_of(error: HubError) -> float | None:
    """Give the wait that an error asks for."""
    return error.after if isinstance(error, RetryLater | OutcomeUnknown) else None


def in_doubt(refusal: HubError) -> OutcomeParked:
    """Give the refusal of a repeat as one that leaves open what became of the sending before it."""
    return OutcomeParked(
        f"{refusal.detail} That was the answer to a repeat: what was sent first may have been done all the same. "
        "Replay it if what refused it has passed; else look at the target, and say what became of it.",
        code=REFUSED_IN_DOUBT,
        **{"refusal": refusal.code, **refusal.facts},
    )


def left_open(error: HubError) -> OutcomeParked:
    """Give a refusal as one that does not say what became of the write: nothing may go on past that."""
    return OutcomeParked(error.detail, code=error.code, **error.facts)


def as_it_stands(error: HubError, state: EffectState) -> HubError:
    """Give an error of a sending as one that says what is known: what may have been done is not just tried again."""
    if state is not EffectState.UNKNOWN or not isinstance(error, RetryLater):
        return error
    return OutcomeUnknown(error.detail, after=error.after, code=error.code, **error.facts)
