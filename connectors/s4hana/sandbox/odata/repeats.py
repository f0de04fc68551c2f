"""Repeatable requests: Gateway keeps the answer to a `RequestID` and gives it again, where a service has that on."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.odata.exchange import Call, Reply
from hub.sandbox.world import World

_ID = re.compile(r"[0-9A-Fa-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer that is given again, until `ends` (monotonic seconds)."""

    fingerprint: str
    reply: Reply
    ends: float


class Repeats:
    """What was answered to which `RequestID`."""

    def __init__(self, world: World) -> None:
        """Start with nothing kept."""
        self._world = world
        self._kept: dict[tuple[str, str], Kept] = {}
        self._gone: set[tuple[str, str]] = set()

    def kept(self, call: Call) -> Reply | None:
        """Give the answer that was kept for a repeated request; raises `Refusal` for one that is too old or another."""
        key = self._key(call)
        if key is None:
            return None
        found = self._kept.get(key)
        if found is not None and found.ends <= self._world.clock.monotonic():
            del self._kept[key]
            self._gone.add(key)
            found = None
        if key in self._gone:
            raise self._rejected("RequestID is outdated", "/IWBEP/CM_COS/005")
        if found is None:
            return None
        if found.fingerprint != fingerprint(call):
            raise self._rejected("RequestID was used for another request", "/IWBEP/CM_COS/006")
        headers = {**found.reply.headers, "repeatabilityresult": "accepted"}
        return Reply(status=found.reply.status, headers=headers, body=found.reply.body)

    def keep(self, call: Call, reply: Reply, seconds: float) -> Reply:
        """Keep an answer; refusals are kept as well, as nothing was done."""
        key = self._key(call)
        if key is None:
            return reply
        ends = self._world.clock.monotonic() + seconds
        self._kept[key] = Kept(fingerprint=fingerprint(call), reply=reply, ends=ends)
        return Reply(status=reply.status, headers={**reply.headers, "repeatabilityresult": "accepted"}, body=reply.body)

    def _key(self, call: Call) -> tuple[str, str] | None:
        given = call.headers.get("requestid")
        if given is None:
            return None
        if _ID.fullmatch(given) is None or not call.headers.get("repeatabilitycreation"):
            raise self._rejected("RequestID or RepeatabilityCreation is not valid", "/IWBEP/CM_COS/004")
        return call.user, given.upper()

    @staticmethod
    def _rejected(text: str, code: str) -> Refusal:
        refusal = Refusal(text, code=code)
        refusal.headers["repeatabilityresult"] = "rejected"
        return refusal


def fingerprint(call: Call) -> str:
    """Tell requests apart by all that they ask for."""
    return hashlib.sha256(b"\0".join([call.method.encode(), call.path.encode(), call.body])).hexdigest()
