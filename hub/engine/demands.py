"""What an `approve` step asks: of whom, about which record, and until when; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.access.permissions import APPROVERS
from hub.model.ambient import to_micros
from hub.model.approval import Lapse
from hub.model.durations import duration
from hub.policy.inputs import bounded
from hub.policy.outputs import moment
from hub.policy.rules import Decision
from hub.sdk import exact_json

Row = Mapping[str, Any]
#: The columns of an amount, both None while it is not known.
Money = Mapping[str, Any]

#: A longer record is shown in part; what is approved is the whole, by its hash.
_MOST_SHOWN = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a policy asks for: how many people of which roles, when others may agree too, and until when."""

    policy: str
    version: int
    rule: str | None
    needed: int
    roles: tuple[str, ...]
    deadline: datetime | None = None
    escalate_at: datetime | None = None
    escalate_to: str | None = None
    valid: timedelta | None = None

    def columns(self) -> dict[str, Any]:
        """Give it as columns of an approval."""
        return {
            "policy": self.policy,
            "version": self.version,
            "rule": self.rule,
            "needed": self.needed,
            "roles": exact_json.dumps(list(self.roles)).decode(),
            "deadline_at": None if self.deadline is None else to_micros(self.deadline),
            "escalate_at": None if self.escalate_at is None else to_micros(self.escalate_at),
            "escalate_to": self.escalate_to,
            "valid_for": None if self.valid is None else self.valid // timedelta(microseconds=1),
        }


def demand_of(decision: Decision, now: datetime) -> Demand:
    """Read what a policy said; nothing is asked when no rule matched."""
    said = decision.output
    within, after = _span(said.get("within")), _span(said.get("escalate_after"))
    ends = [moment(said["deadline"]) if "deadline" in said else None, None if within is None else now + within]
    return Demand(
        policy=decision.policy,
        version=decision.version,
        rule=decision.rule,
        needed=int(said.get("approvals", 0)),
        roles=(said["role"],) if "role" in said else tuple(role.value for role in APPROVERS),
        deadline=min((end for end in ends if end is not None), default=None),
        escalate_at=None if after is None else now + after,
        escalate_to=said.get("escalate_to"),
        valid=_span(said.get("valid")),
    )


def hash_of(record: Any) -> str:
    """Give the SHA-256 of a record, the same for equal records and for no others."""
    return hashlib.sha256(exact_json.canonical(record)).hexdigest()


def shown(record: Any, scrubs: Iterable[Callable[[Any], Any]]) -> str:
    """Give a record as those see it who are asked, without the secrets that the hub knows."""
    for scrub in scrubs:
        record = scrub(record)
    text = exact_json.dumps(record).decode()
    return text if len(text) <= _MOST_SHOWN else exact_json.dumps(bounded(record)).decode()


def asked_again(row: Row, now: int) -> dict[str, Any]:
    """Give the columns with which the same is asked once more, with as much time as before."""
    later = now - row["created_at"]
    names = ("policy", "version", "rule", "bundle", "needed", "roles", "record", "record_hash", "entity")
    again = {name: row[name] for name in (*names, "money_minor", "money_currency", "escalate_to", "valid_for")}
    return again | {name: None if row[name] is None else row[name] + later for name in ("deadline_at", "escalate_at")}


def lapse_of(approved: Row, *, record_hash: str, money: Money) -> Lapse | None:
    """Tell why an approval does not cover what would be written now; None when it does."""
    if approved["record_hash"] != record_hash:
        return Lapse.RECORD_CHANGED
    now, then = money["money_minor"], approved["money_minor"]
    if now is None:
        return None
    same = then is not None and approved["money_currency"] == money["money_currency"]
    return None if same and abs(now) <= abs(then) else Lapse.AMOUNT_ROSE


def covers(approved: Row, roles: tuple[str, ...], demand: Demand) -> bool:
    """Tell whether an approval that was given before is as much as a policy asks for now."""
    may = {*demand.roles, demand.escalate_to}
    return bool(approved["needed"] >= demand.needed) and set(roles) <= may


def governs(approved_path: str, write_path: str) -> bool:
    """Tell whether what a step had approved stands before a write: not when it was for another item of a loop."""
    item = approved_path[: approved_path.rfind("]") + 1]
    return write_path.startswith(item)


def _span(text: str | None) -> timedelta | None:
    return None if text is None else duration(text)
