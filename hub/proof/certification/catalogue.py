"""The provider faults a connector is certified under: what the vendor does, where, and how it must end.

`matrix` names the row of the published fault matrix (F, B) or the reported failure (FM) that a fault stands for; the
documents list them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Side(StrEnum):
    """What of a connector a fault meets."""

    WRITE = "write"
    READ = "read"
    WEBHOOK = "webhook"
    STREAM = "stream"
    LISTING = "listing"


class Verdict(StrEnum):
    """How it must end; that nothing is doubled, lost or told wrongly holds for every one of them."""

    #: It is done, once, without a person.
    DONE = "done"
    #: The connection is paused with one alert; once it is mended, it is done.
    PAUSED = "paused"
    #: It is done, or the connection is paused and it is done once that is mended.
    MENDED = "mended"
    #: What the hub says is what the books say; what is not done waits for a person with a case.
    TRUTHFUL = "truthful"
    #: The door turns it away, and nothing of it is taken.
    REFUSED = "refused"
    #: It is kept whole for a person, and starts nothing.
    KEPT = "kept"


class Where(StrEnum):
    """Which request a plan's entry strikes."""

    CALL = "call"
    LOOK = "look"
    TOKEN = "token"


#: One entry of a sandbox's fault plan, and which request it strikes.
Entry = tuple[Where, Mapping[str, Any]]
#: Stands in a `Retry-After` for the date half a minute from now.
DATE = "{date}"
#: Stands in a redirect for a host of ours that counts who comes.
TRAP = "{trap}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFault:
    """One thing a vendor, or the way to it, does wrong.

    - `plan` is what the sandbox is told; faults that are no vendor's are made by the trial itself, by their name.
    - `hangs` says that nobody answers, so that the trial waits for less long than usual.
    - `conditional` says that it cannot strike everywhere (an answer without an id cannot be about another one); where
      it does not strike it says nothing.
    - `alters` says that the vendor means what it says, so that a read that passes it on is right.
    - `skew` is by how many seconds the hub's clock is ahead of the vendor's.
    """

    name: str
    what: str
    sides: frozenset[Side]
    verdict: Verdict
    matrix: str
    plan: Sequence[Entry] = ()
    hangs: bool = False
    conditional: bool = False
    alters: bool = False
    skew: float = 0.0


_WRITE, _READ = frozenset({Side.WRITE}), frozenset({Side.READ})
#: What is read page by page.
_PAGES = frozenset({Side.STREAM, Side.LISTING})
_CALLS = _WRITE | _READ
_OUT = _CALLS | _PAGES
_HOOK = frozenset({Side.WEBHOOK})


def _call(kind: str, **more: Any) -> Entry:
    return Where.CALL, {"kind": kind, "times": 1, **more}


def _fault(
    name: str,
    what: str,
    sides: frozenset[Side],
    verdict: Verdict,
    matrix: str,
    *plan: Entry,
    **more: Any,
) -> ProviderFault:
    return ProviderFault(name=name, what=what, sides=sides, verdict=verdict, matrix=matrix, plan=plan, **more)


_DONE, _TRUE = Verdict.DONE, Verdict.TRUTHFUL
_REVOKED: Entry = (Where.CALL, {"kind": "401"})

FAULTS: tuple[ProviderFault, ...] = (
    _fault("limit-seconds", "429 with Retry-After in seconds", _OUT, _DONE, "F7", _call("429", retry_after="2")),
    _fault("limit-date", "429 with Retry-After as a date", _OUT, _DONE, "F7", _call("429", retry_after=DATE)),
    _fault("limit-negative", "429 with a negative Retry-After", _OUT, _DONE, "F7", _call("429", retry_after="-5")),
    _fault("limit-huge", "429 that asks for thirty years", _CALLS, _DONE, "F7", _call("429", retry_after="1000000000")),
    _fault("limit-silent", "429 without a word of when", _OUT, _DONE, "F7", _call("429", times=3)),
    _fault("error-500", "500, twice, and nothing done", _OUT, _DONE, "F6", _call("500", times=2)),
    _fault("error-502", "502 from a gateway", _OUT, _DONE, "F6", _call("502")),
    _fault("error-503", "503 with Retry-After", _OUT, _DONE, "F8", _call("503", retry_after="3")),
    _fault("error-504", "504 from a gateway", _OUT, _DONE, "F6", _call("504")),
    _fault(
        "outage-hour",
        "an hour of 503 and resets",
        _OUT,
        _DONE,
        "F8",
        (Where.CALL, {"kind": "outage", "until": 3600, "answer": "mixed"}),
    ),
    _fault("reset-before", "the connection breaks before anything is done", _OUT, _DONE, "F3", _call("reset_before")),
    _fault(
        "no-answer",
        "the request is read, and no answer comes",
        _READ | _PAGES,
        _DONE,
        "F11",
        _call("slow", seconds=30),
        hangs=True,
    ),
    _fault(
        "timeout-after-commit",
        "it is done, and no answer comes",
        _WRITE,
        _DONE,
        "F1",
        _call("timeout_after_commit"),
        hangs=True,
    ),
    _fault(
        "reset-after-commit", "it is done, and the connection breaks", _WRITE, _DONE, "F1", _call("reset_after_commit")
    ),
    _fault(
        "error-500-after-commit", "it is done, and the answer is 500", _WRITE, _DONE, "F1", _call("500_after_commit")
    ),
    _fault(
        "late-commit",
        "the connection breaks, and it is done 30 s later",
        _WRITE,
        _DONE,
        "FM-01",
        _call("late_commit", seconds=30),
    ),
    _fault(
        "sent-twice",
        "a gateway sends it twice and passes on the first answer",
        _WRITE,
        _DONE,
        "F1",
        _call("twice"),
        conditional=True,
    ),
    _fault("half-body", "the answer breaks off half-way", _OUT, _DONE, "F5", _call("half_body")),
    _fault("truncated-body", "half of the answer, as if it were all", _OUT, _DONE, "F5", _call("malformed_body")),
    _fault("wrong-length", "the answer is shorter than it says", _OUT, _DONE, "F5", _call("wrong_length")),
    _fault("bad-gzip", "the answer claims to be gzip, and is not", _OUT, _DONE, "F5", _call("bad_gzip")),
    _fault("slow-body", "the answer comes byte by byte, for ever", _OUT, _DONE, "F11", _call("slow_body"), hangs=True),
    _fault("endless-body", "the answer never ends", _CALLS, _DONE, "B23", _call("endless_body")),
    _fault("huge-headers", "a header of 200 kB", _OUT, _DONE, "B23", _call("huge_headers")),
    _fault("login-page", "a proxy's login page with 200", _OUT, _DONE, "B20", _call("login_page")),
    _fault("error-inside", "an error under 200, and nothing done", _OUT, _DONE, "B21", _call("error_inside")),
    _fault(
        "empty-answer",
        "it is done, and the answer is empty",
        _OUT,
        _DONE,
        "FM-02",
        _call("empty_body"),
        conditional=True,
    ),
    _fault(
        "foreign-answer",
        "the answer is about something else",
        _CALLS,
        _DONE,
        "B24",
        _call("foreign_body"),
        conditional=True,
    ),
    _fault("redirect-metadata", "a redirect to a cloud's own address", _OUT, Verdict.MENDED, "B22", _call("redirect")),
    _fault("redirect-elsewhere", "a redirect to another host", _OUT, Verdict.MENDED, "B22", _call("redirect", to=TRAP)),
    _fault("refused-once", "401, once: the token has ended", _OUT, Verdict.MENDED, "F9", _call("401")),
    _fault(
        "token-fails",
        "401, and the token endpoint fails twice",
        _OUT,
        _DONE,
        "F9",
        _call("401"),
        (Where.TOKEN, {"kind": "500", "times": 2}),
        conditional=True,
    ),
    _fault("credential-revoked", "401 from now on", _OUT, Verdict.PAUSED, "F10", _REVOKED),
    _fault("permission-missing", "403, once", _OUT, _TRUE, "F10", _call("403")),
    _fault("in-flight", "409: the same is under way", _WRITE, _TRUE, "FM-06", _call("409")),
    _fault("sticky-500", "500 for this key for ever, and nothing done", _WRITE, _TRUE, "F6", _call("sticky_500")),
    _fault(
        "look-fails",
        "it is done unheard, and looking fails twice",
        _WRITE,
        _DONE,
        "FM-06",
        _call("reset_after_commit"),
        (Where.LOOK, {"kind": "500", "times": 2}),
        conditional=True,
    ),
    _fault(
        "look-login-page",
        "it is done unheard, and the look meets a login page",
        _WRITE,
        _DONE,
        "FM-06",
        _call("reset_after_commit"),
        (Where.LOOK, {"kind": "login_page", "times": 1}),
        conditional=True,
    ),
    _fault(
        "added-field",
        "the answer has a field of a later release",
        _CALLS,
        _DONE,
        "F37",
        _call("added_field"),
        conditional=True,
        alters=True,
    ),
    _fault(
        "renamed-field",
        "the answer's id has another name",
        _CALLS,
        _TRUE,
        "FM-02",
        _call("renamed_field", times=None),
        conditional=True,
        alters=True,
    ),
    _fault(
        "unknown-value",
        "a status that nobody knows",
        _CALLS,
        _TRUE,
        "F37",
        _call("unknown_value", times=None),
        conditional=True,
        alters=True,
    ),
    _fault("clock-ahead", "the hub's clock is ten minutes ahead", _OUT, Verdict.MENDED, "F34", skew=600),
    _fault("clock-behind", "the hub's clock is ten minutes behind", _OUT, Verdict.MENDED, "F34", skew=-600),
    _fault("name-unknown", "the host's name does not resolve for a while", _CALLS, _DONE, "F35"),
    _fault("certificate-expired", "the host's certificate has expired", _CALLS, Verdict.PAUSED, "F36"),
    _fault("certificate-other-host", "the certificate is another host's", _CALLS, Verdict.PAUSED, "F36"),
    _fault("certificate-self-signed", "the certificate is nobody's", _CALLS, Verdict.PAUSED, "F36"),
    _fault("rows-doubled", "a page has every row twice", _PAGES, _DONE, "F12", _call("rows_doubled"), conditional=True),
    _fault("rows-missing", "a page lacks its last row", _PAGES, _DONE, "F12", _call("rows_missing"), conditional=True),
    _fault(
        "rows-shuffled",
        "a page has its rows in another order",
        _PAGES,
        _DONE,
        "F12",
        _call("rows_shuffled"),
        conditional=True,
    ),
    _fault("page-repeated", "everything is given again from the start", _PAGES, _DONE, "F15"),
    _fault("cursor-gone", "the place read up to is refused, once", _PAGES, _DONE, "F15", _call("400")),
    _fault("hook-repeated", "the same delivery five times at once", _HOOK, _DONE, "F13"),
    _fault("hook-replayed", "the same event again, thirty days later, signed anew", _HOOK, _DONE, "F16"),
    _fault("hook-disordered", "deliveries in the opposite order", _HOOK, _DONE, "F15", conditional=True),
    _fault("hook-contradicted", "the same id with other content", _HOOK, Verdict.KEPT, "F14"),
    _fault("hook-unsigned", "no signature", _HOOK, Verdict.REFUSED, "B13"),
    _fault("hook-badly-signed", "signed with another secret", _HOOK, Verdict.REFUSED, "B13"),
    _fault("hook-stale", "signed before the tolerance", _HOOK, Verdict.REFUSED, "B13", conditional=True),
    _fault("hook-from-the-future", "signed after the tolerance", _HOOK, Verdict.REFUSED, "B13", conditional=True),
    _fault("hook-reformatted", "a proxy wrote the body anew", _HOOK, Verdict.REFUSED, "B14", conditional=True),
    _fault(
        "hook-cut", "half of the body under the whole one's signature", _HOOK, Verdict.REFUSED, "B14", conditional=True
    ),
    _fault("hook-cut-and-signed", "half of the body, rightly signed", _HOOK, Verdict.KEPT, "B4"),
    _fault("hook-added-field", "a field of a later release", _HOOK, _DONE, "F37"),
)
