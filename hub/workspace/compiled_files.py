"""What each kind of file says, once it is read, checked and compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hub.mapping.compiled import CompiledMapping
from hub.model.limits import QuotaPer
from hub.model.retention import Retention
from hub.model.sender import Sender
from hub.policy.matching import MatchPolicy
from hub.policy.retry import RetryPolicy
from hub.policy.rules import RulePolicy
from hub.workspace.kinds import FileKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits of one account as a file says them; None: no limit of this file's own.

    `rate` requests may start in `per` seconds, of which `burst` at once; `quota` counts in the times `quota_per` of
    `quota_zone`. Connections that name the same `budget` lead to one account and share its limits.
    """

    concurrency: int | None = None
    rate: float | None = None
    per: int = 1
    burst: int | None = None
    quota: int | None = None
    quota_per: QuotaPer = QuotaPer.DAY
    quota_zone: str = "UTC"
    budget: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How one stream of a connection is read; None: as it is everywhere, and as its connector says.

    - `every` is the time from one reading to the next, `overlap` how much is read again each time.
    - `dead_man` is how long after the last complete reading somebody is alarmed.
    """

    every: timedelta | None = None
    overlap: timedelta | None = None
    dead_man: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFile:
    """A connection; an environment adds settings and may replace the secret (`vault:NAME`).

    `guards` names the policies that guard it, by their kind: `throttle`, `hold`, `drift`; `polls` says how its streams
    are read, by their names.
    """

    name: str
    connector: str
    title: str
    owner: str
    secret: str | None = None
    limits: ConnectionLimits = ConnectionLimits()
    settings: Mapping[str, Any] = field(default_factory=dict)
    guards: Mapping[str, str] = field(default_factory=dict)
    polls: Mapping[str, Poll] = field(default_factory=dict)
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentConnection:
    """What one connection has in one environment: settings without secrets, the vault reference, limits and guards.

    A guard here stands in the place of the connection file's own; `none` takes it away.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    secret: str | None = None
    limits: ConnectionLimits = ConnectionLimits()
    guards: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFile:
    """An environment: its connections' settings, how it is marked, and what a new revision needs to serve there.

    `governed`: it serves what was published last, and not whatever the folder holds at a start. `production` says
    whether its accounts move real money; None where the file does not say. Secrets older than `secret_age` are told of.
    `senders` are those outside who send events of their own.
    """

    name: str
    title: str
    connections: Mapping[str, EnvironmentConnection]
    colour: str = "grey"
    private_hosts: tuple[str, ...] = ()
    ca_file: str | None = None
    governed: bool = False
    approvals: int = 0
    max_money_difference: Mapping[str, Decimal] = field(default_factory=dict)
    retention: Retention | None = None
    production: bool | None = None
    secret_age: timedelta | None = None
    senders: Mapping[str, Sender] = field(default_factory=dict)
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentFile:
    """A fragment: fields as its document has them, and the other fragments it uses."""

    name: str
    fields: Mapping[str, Any]
    uses: frozenset[str] = frozenset()
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingFile:
    """A mapping: from which schema to which, and the names of the values it must be given.

    `reverse` is the mapping in the other direction when one is to be derived; that one has no file of its own.
    """

    name: str
    version: int
    source: str
    target: str
    given: frozenset[str]
    compiled: CompiledMapping
    reverse: MappingFile | None = None
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A policy."""

    name: str
    kind: str
    compiled: RulePolicy | RetryPolicy | MatchPolicy
    path: str = ""

    @property
    def deciding(self) -> RulePolicy | None:
        """Give the policy where it decides between rules."""
        return self.compiled if isinstance(self.compiled, RulePolicy) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One example of a file of `kind`: what goes in, and either what must come out or the code of the error.

    `rule` names the rule of a policy that must decide (`none`: no rule), or the rules, one after the other.
    """

    title: str
    kind: FileKind
    name: str
    source: Any
    given: Mapping[str, Any]
    expected: Any
    fails: str | None
    path: str
    line: int
    rule: str | None = None
