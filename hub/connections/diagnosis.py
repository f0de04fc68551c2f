"""A connection put to the test, stage by stage: what is wrong and what to do; the first stage that fails ends it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from hub.connections import reaching
from hub.connections.accounts import Account, Health
from hub.connections.kinds import mixed
from hub.connections.reaching import Place
from hub.errors import FixConnection, HubError, LimitReached
from hub.model.exchange import Request
from hub.sdk.settings import kinds_told

#: Vendors refuse signatures and tokens of clocks that differ by more than minutes; this much is told before.
SKEW = timedelta(seconds=30)
TOO_MUCH = timedelta(minutes=5)
#: A certificate that ends within this time is told of.
ENDS_SOON = timedelta(days=14)
#: Seconds that the question to the vendor may take in all, its place in the row included.
LONGEST = 45.0


class Stage(StrEnum):
    """What is looked at, in this order."""

    SETTINGS = "settings"
    KIND = "kind"
    HOST = "host"
    CONNECTION = "connection"
    TLS = "tls"
    CLOCK = "clock"
    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    ACCOUNT = "account"


class Outcome(StrEnum):
    """How a stage came out; `skipped`: an earlier one failed, or there was nothing to look at."""

    OK = "ok"
    WARN = "warn"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One stage: what was found, what to do where there is something to do, and facts such as a certificate's."""

    stage: Stage
    outcome: Outcome
    found: str
    advice: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All stages of one test of one connection."""

    connection: str
    connector: str
    at: datetime
    checks: Sequence[Check]

    @property
    def works(self) -> bool:
        """Tell whether nothing failed."""
        return all(check.outcome is not Outcome.FAILED for check in self.checks)

    @property
    def failed(self) -> Check | None:
        """Give the stage that failed."""
        return next((check for check in self.checks if check.outcome is Outcome.FAILED), None)


def unusable(connection: str, connector: str, at: datetime, problem: FixConnection) -> Diagnosis:
    """Give the diagnosis of a connection of which no account can be made: its settings, its secret or its kind."""
    stage = Stage.KIND if problem.code == "mixed-kinds" else Stage.SETTINGS
    return _whole(connection, connector, at, [_failed(stage, problem.detail, _advice(problem), _facts(problem))])


async def diagnose(account: Account, *, production: bool | None, private_hosts: frozenset[str]) -> Diagnosis:
    """Test an account at the vendor; nothing is changed there, and nothing of it changes how the hub uses the account.

    `production` is the environment's word for its accounts; `private_hosts` may lead outside the public internet.
    Fresh credentials are asked for, past any token that is in use, so that those which are stored are what is tested.
    """
    now = account.ambient.now()
    try:
        trust = account.transport.trust()
    except OSError as error:
        told = f"the file of trusted authorities cannot be read: {error.strerror or error}"
        advice = "Look at `ca_file` in the environment's file: it names a PEM file on this machine."
        return _whole(account.name, account.connector.name, now, [_failed(Stage.SETTINGS, told, advice)])
    found = [Check(stage=Stage.SETTINGS, outcome=Outcome.OK, found="complete")]
    async for check in _stages(account, production=production, private_hosts=private_hosts, trust=trust):
        found.append(check)
        if check.outcome is Outcome.FAILED:
            break
    return _whole(account.name, account.connector.name, now, found)


async def _stages(
    account: Account, *, production: bool | None, private_hosts: frozenset[str], trust: ssl.SSLContext
) -> AsyncIterator[Check]:
    """Go from stage to stage; whoever asks stops at the first that fails."""
    yield _kind(account, production=production)
    places = _places(account)
    for stage, look in _STEPS.items():
        for place in places:
            yield await _reach(stage, look, place, account, private_hosts, trust)
    yield await _clock(account)
    for check in await _vendor(account):
        yield check


def _whole(connection: str, connector: str, at: datetime, found: Sequence[Check]) -> Diagnosis:
    """Add the stages that were not come to."""
    looked = {check.stage for check in found}
    last = list(Stage).index(found[-1].stage)
    rest = [
        Check(stage=stage, outcome=Outcome.SKIPPED, found="not looked at")
        for stage in list(Stage)[last + 1 :]
        if stage not in looked
    ]
    return Diagnosis(connection=connection, connector=connector, at=at, checks=(*found, *rest))


def _places(account: Account) -> list[Place]:
    """Give every host that the settings name, `base_url` first, each once."""
    found: dict[tuple[str, int], Place] = {}
    for name, value in account.settings:
        if isinstance(value, str) and value.startswith(("http://", "https://")):
            parts = urlsplit(value)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            place = Place(host=parts.hostname or "", port=port, tls=parts.scheme == "https", setting=name)
            found.setdefault((place.host, port), place)
    return sorted(found.values(), key=lambda place: place.setting != "base_url")


_STEPS: Mapping[Stage, reaching.Look] = {
    Stage.HOST: reaching.resolve,
    Stage.CONNECTION: reaching.connect,
    Stage.TLS: reaching.greet,
}


async def _reach(
    stage: Stage,
    look: reaching.Look,
    place: Place,
    account: Account,
    private_hosts: frozenset[str],
    trust: ssl.SSLContext,
) -> Check:
    try:
        reached = await look(place, private_hosts, trust)
    except FixConnection as error:
        return _failed(stage, error.detail, _advice(error), _facts(error))
    ends = reached.ends
    now = account.ambient.now()
    if ends is not None and ends - now < ENDS_SOON:
        told = f"{reached.found}; the host's certificate ends on {ends:%Y-%m-%d}"
        return Check(
            stage=stage,
            outcome=Outcome.WARN,
            found=told,
            advice="Ask whoever runs the host to renew it in time.",
            facts=reached.facts,
        )
    outcome = Outcome.SKIPPED if stage is Stage.TLS and not place.tls else Outcome.OK
    return Check(stage=stage, outcome=outcome, found=reached.found, facts=reached.facts)


def _kind(account: Account, *, production: bool | None) -> Check:
    told = kinds_told(account.settings.telltales, dict(account.settings))
    kinds = set(told.values())
    if len(kinds) > 1 or (production is not None and kinds - {production}):
        problem = mixed(account.name, production=production)
        return _failed(Stage.KIND, problem.detail, "Change " + " or ".join(f"`{name}`" for name in sorted(told)) + ".")
    shown = {True: "an account with real money", False: "a test account"}
    here = {True: "production", False: "no production", None: "not said to be production or not"}[production]
    if not kinds:
        return Check(
            stage=Stage.KIND, outcome=Outcome.OK, found=f"the settings show no kind; the environment is {here}"
        )
    found = f"{shown[kinds.pop()]}; the environment is {here}"
    if production is None:
        advice = "Write `production: true` or `production: false` in the environment's file."
        return Check(stage=Stage.KIND, outcome=Outcome.WARN, found=found, advice=advice)
    return Check(stage=Stage.KIND, outcome=Outcome.OK, found=found)


async def _clock(account: Account) -> Check:
    """Ask the host for anything, without credentials, and compare its clock with ours."""
    base = account.settings.base_url
    host = urlsplit(base).hostname or ""
    try:
        await account.transport.send(Request(method="GET", url=base + "/"), timeout=min(account.settings.timeout, 15.0))
    except HubError as error:
        advice = "The host takes connections and does not answer HTTP; look whether `base_url` is the right one."
        return _failed(Stage.CLOCK, error.detail, advice, _facts(error))
    skew = account.transport.skews().get(host)
    if skew is None:
        return Check(stage=Stage.CLOCK, outcome=Outcome.SKIPPED, found="the host does not tell its time")
    seconds = f"{abs(skew.total_seconds()):,.0f} seconds"
    if abs(skew) <= SKEW:
        return Check(stage=Stage.CLOCK, outcome=Outcome.OK, found=f"agrees with {host}")
    # How far the vendor's clock is ahead of ours is how far ours is behind.
    told = f"this machine's clock is {seconds} {'behind' if skew > timedelta() else 'ahead of'} that of {host}"
    advice = "Set this machine's clock, with NTP: signatures, tokens and webhooks are refused when it is wrong."
    if abs(skew) > TOO_MUCH:
        return _failed(Stage.CLOCK, told, advice)
    return Check(stage=Stage.CLOCK, outcome=Outcome.WARN, found=told, advice=advice)


async def _vendor(account: Account) -> list[Check]:
    """Let the connector ask the vendor, with credentials that nobody has used yet."""
    asking = Account(
        name=account.name,
        connector=account.connector,
        settings=account.settings,
        limiter=account.limiter,
        transport=account.transport,
        ambient=account.ambient,
        redactor=account.redactor,
        health=Health(),
        keep=account.keep,
        alone=account.alone,
    )
    accepted = Check(stage=Stage.CREDENTIALS, outcome=Outcome.OK, found="accepted")
    allowed = Check(stage=Stage.PERMISSION, outcome=Outcome.OK, found="enough for the connector's own question")
    try:
        async with asyncio.timeout(LONGEST):
            told = await account.connector.ping(asking) or {}
    except TimeoutError:
        silent = f"no answer came within {LONGEST:g} seconds"
        return [
            _failed(Stage.CREDENTIALS, silent, "Test again; see `concord connections` for what waits at its limits.")
        ]
    except LimitReached as error:
        unasked = f"not asked: {error.detail}"
        advice = "The account is at its limit; test again in a while."
        return [Check(stage=Stage.CREDENTIALS, outcome=Outcome.WARN, found=unasked, advice=advice, facts=_facts(error))]
    except FixConnection as error:
        stage = stage_of(error)
        before = [accepted, allowed][: list(Stage).index(stage) - list(Stage).index(Stage.CREDENTIALS)]
        return [*before, _failed(stage, error.detail, _advice(error) or _ADVICE[stage], _facts(error))]
    except HubError as error:
        advice = "The host answers, and not as this system does: look at `base_url`, and at the vendor's status page."
        return [_failed(Stage.CREDENTIALS, error.detail, advice, _facts(error))]
    named = ", ".join(told.values()) or "the vendor answers for it"
    here = Check(stage=Stage.ACCOUNT, outcome=Outcome.OK, found=named, facts=told)
    return [accepted, allowed, here]


def stage_of(error: FixConnection) -> Stage:
    """Tell which stage a vendor's refusal belongs to, by the code that the connector gave it and by its status."""
    code = error.code
    if any(word in code for word in ("account", "company", "tenant", "subsidiary")):
        return Stage.ACCOUNT
    if error.facts.get("status") == 403 or any(word in code for word in ("permission", "scope", "forbidden", "role")):
        return Stage.PERMISSION
    return Stage.CREDENTIALS


_ADVICE: Mapping[Stage, str] = {
    Stage.CREDENTIALS: "Store the secret again with `concord connect`: it may be mistyped or revoked.",
    Stage.PERMISSION: "The credentials are good and may not do this: give their role or key the rights at the vendor.",
    Stage.ACCOUNT: "The credentials are good and belong to another account: name the right one in the settings.",
}
#: What to do about problems that the hub itself finds.
_OWN: Mapping[str, str] = {
    "secret-missing": "Store it with `concord connect` or `concord vault set`.",
    "secret-not-bound": "Store the secret again for this connection: it opens only for the hosts it was stored for.",
    "other-vault-key": "Start the hub with the vault key that the secret was sealed with.",
    "redirected": "Set `base_url` to the account's own host.",
    "host-not-allowed": "Name it under `private_hosts` in the environment's file, if it is meant.",
    "mixed-kinds": "Change the setting that shows the account, or connect it in another environment.",
}


def _advice(error: HubError) -> str:
    told = error.facts.get("advice")
    return str(told) if told is not None else _OWN.get(error.code, "")


def _facts(error: HubError) -> dict[str, str]:
    return {name: str(fact)[:300] for name, fact in error.facts.items() if name != "advice" and fact not in ("", None)}


def _failed(stage: Stage, found: str, advice: str, facts: Mapping[str, str] | None = None) -> Check:
    return Check(stage=stage, outcome=Outcome.FAILED, found=found, advice=advice, facts=facts or {})
