"""One entry of the audit log and the bytes that stand for it in every hash; it never holds personal data."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from hub.audit.kinds import AuditKind

#: The leaf format, written into each leaf; a change of the format gets a new number.
FORMAT = 1

Fact = str | int | bool | None

#: Longer values are not ids, codes or hashes.
MAX_LENGTH = 200

_PLAIN = re.compile(rf"[!-~]{{1,{MAX_LENGTH}}}")
_ADDRESS = re.compile(r"[^@]+@[^@]+\.[A-Za-z]{2,}")
_encoder = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A decision or a change: what (`kind`), when, by whom, about which things, with which facts.

    - `log` names the committer's log, `sequence` counts from 1 in it without gaps.
    - `actor` is an id such as `person:p_1`, `worker_1`, `connection:stripe` or `local`.
    - `subjects` maps what (`run`, `event`, `effect`, `case`) to its id.
    - `facts` are codes, counts, ids and hashes. Text is printable ASCII without blanks, at most 200 characters, and
      must not look like a mail address: names and amounts of people belong into rows that can be erased. An outside
      id that may be anything goes through `plain_id` first.

    Raises ValueError for anything else, because such an entry is a defect of the code that wrote it.
    """

    log: str
    sequence: int
    at: datetime
    kind: AuditKind
    actor: str
    subjects: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what must not stand in a log that is never erased."""
        if self.sequence < 1:
            raise ValueError(f"an audit entry counts from 1, not {self.sequence}")
        if self.at.tzinfo is None:
            raise ValueError("an audit entry's time has a time zone")
        assert_plain(self.kind, self.actor, self.subjects, self.facts)
        assert_plain(self.kind, self.log, {}, {})

    def leaf(self) -> bytes:
        """Give the canonical JSON: sorted keys, no blanks, UTF-8, the time in UTC with microseconds."""
        return leaf(self.log, self.sequence, shown(self.at), self.kind, self.actor, self.subjects, self.facts)


def leaf(
    log: str,
    sequence: int,
    at: str,
    kind: AuditKind,
    actor: str,
    subjects: Mapping[str, str],
    facts: Mapping[str, Fact],
) -> bytes:
    """Give an entry's canonical JSON, of values that were found plain and a time as `shown` gives it."""
    return _encoder.encode(
        {
            "actor": actor,
            "at": at,
            "facts": facts,
            "format": FORMAT,
            "kind": kind,
            "log": log,
            "sequence": sequence,
            "subjects": subjects,
        }
    )


def shown(at: datetime) -> str:
    """Give a time as entries have it: in UTC, with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def assert_plain(kind: AuditKind, actor: str, subjects: Mapping[str, str], facts: Mapping[str, Fact]) -> None:
    """Raise ValueError unless all that an entry is to hold may stand in a log that is never erased."""
    for name, value in (("actor", actor), *subjects.items(), *facts.items()):
        if isinstance(value, str):
            if value and not is_plain(value):
                raise ValueError(f"{kind}: `{name}` is not an id, a code or a hash")
        elif value is not None and not isinstance(value, int):
            raise ValueError(f"{kind}: `{name}` is {type(value).__name__}; only text, int, bool and None may be")


def is_plain(value: str) -> bool:
    """Tell whether a text has the shape of an id, a code or a hash."""
    if _PLAIN.fullmatch(value) is None:
        return False
    return "@" not in value or _ADDRESS.search(value) is None


def plain_id(value: str, key: bytes) -> str:
    """Give an outside id as it is when it is plain, else a keyed commitment to it (`hmac:` and 64 hex digits).

    `key` is the hub's own and secret: a bare hash of a mail address could be guessed.
    """
    if is_plain(value):
        return value
    return "hmac:" + hmac.new(key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
