"""The way from the hub to the simulated vendors, with whatever befalls a request on it.

What reaches the engine are the same errors that the real transport raises for the same thing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random
from urllib.parse import urlsplit

from hub.errors import NotSent, OutcomeUnknown
from hub.model.exchange import Request, Response
from hub.proof.simulation.connector import CONCURRENCY
from hub.proof.simulation.loop import Life, VirtualLoop
from hub.proof.simulation.story import Story
from hub.proof.simulation.troubles import AtCall, Spell, Strike, Trouble, Weather
from hub.proof.simulation.vendor import COMES_LATE, Vendor
from hub.sdk import exact_json
from hub.sdk.transport import Transport

#: What an outage or a storm does to a request.
_OUTAGES = (AtCall.NOT_SENT, AtCall.RESET_BEFORE, AtCall.UNAVAILABLE, AtCall.TIMEOUT_BEFORE)
#: After these a caller knows whether it was done; a 503 may come from a gateway, which does not know.
_CLEAR = frozenset({AtCall.NOT_SENT, AtCall.TOO_MANY, AtCall.SLOW})
#: An answer that says nothing about what was asked.
_LOGIN = b"<html><body>Please sign in</body></html>"


class Sky:
    """What is in the air between the hub and all vendors: single strikes, and spells of bad weather.

    It outlives the hub's process. `clear` ends everything that goes wrong.
    """

    def __init__(self, troubles: Sequence[Trouble], time: Callable[[], float], story: Story) -> None:
        """Take what may happen."""
        self._strikes = {(trouble.vendor, trouble.call): trouble for trouble in troubles if isinstance(trouble, Strike)}
        self._spells = [trouble for trouble in troubles if isinstance(trouble, Spell)]
        self._time = time
        self._story = story
        self._calls: Counter[str] = Counter()
        self.is_clear = False
        #: Names of things of which a write was not clearly answered.
        self.unclear: set[str] = set()
        #: What a gateway turns away when it comes once more.
        self._astray: set[tuple[str, bytes]] = set()
        self._under_way: Counter[tuple[Life, str]] = Counter()
        #: The most requests of one process that were under way at once, of vendors at which they were too many.
        self.over: dict[str, int] = {}

    @property
    def calls(self) -> int:
        """Count the requests so far."""
        return sum(self._calls.values())

    def clear(self) -> None:
        """Let nothing go wrong from now on."""
        self.is_clear = True

    @contextmanager
    def under_way(self, life: Life, vendor: str) -> Iterator[None]:
        """Count a request of a process as long as it is under way."""
        self._under_way[life, vendor] += 1
        number = self._under_way[life, vendor]
        if number > CONCURRENCY:
            self.over[vendor] = max(number, self.over.get(vendor, 0))
        try:
            yield
        finally:
            self._under_way[life, vendor] -= 1

    def strike(self, vendor: str) -> Strike | None:
        """Count a request, and give what meets it alone."""
        self._calls[vendor] += 1
        return None if self.is_clear else self._strikes.pop((vendor, self._calls[vendor]), None)

    def lead_astray(self, request: Request) -> None:
        """Have a gateway turn this request away when it comes once more."""
        self._astray.add((request.url, request.body))

    def is_astray(self, request: Request) -> bool:
        """Tell whether a gateway turns this request away, which it does once."""
        sent = (request.url, request.body)
        if self.is_clear or sent not in self._astray:
            return False
        self._astray.remove(sent)
        return True

    def spell(self, vendor: str) -> Spell | None:
        """Give the weather at a vendor now."""
        if self.is_clear:
            return None
        now = self._time()
        for spell in self._spells:
            if spell.vendor == vendor and spell.begins <= now < spell.begins + spell.seconds:
                return spell
        return None

    def spell_ends(self) -> float:
        """Give the moment from which on no spell lasts."""
        return max((spell.begins + spell.seconds for spell in self._spells), default=0.0)


class Wire(Transport):
    """The transport of one simulated process."""

    def __init__(
        self,
        vendors: Mapping[str, Vendor],
        sky: Sky,
        *,
        loop: VirtualLoop,
        life: Life,
        now: Callable[[], datetime],
        kill: Callable[[], None],
        chance: Random,
        story: Story,
    ) -> None:
        """Take the vendors by host."""
        super().__init__()
        self._vendors = vendors
        self._sky = sky
        self._loop = loop
        self._life = life
        self._now = now
        self._kill = kill
        self._chance = chance
        self._story = story

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Send one request through what is in the air."""
        vendor = self._vendors[urlsplit(request.url).hostname or ""]
        with self._sky.under_way(self._life, vendor.name):
            # What has left is under way whatever becomes of the process: it may sleep or die meanwhile.
            carried = self._loop.create_task(self._through(vendor, request, timeout), context=Context())
            carried.add_done_callback(_heard)
            return await asyncio.shield(carried)

    async def close(self) -> None:
        """Nothing is open."""

    async def _through(self, vendor: Vendor, request: Request, timeout: float) -> Response:
        strike, spell = self._sky.strike(vendor.name), self._sky.spell(vendor.name)
        what = f"{request.method} {urlsplit(request.url).path}"
        await asyncio.sleep(self._chance.choice((0.0, 0.001, 0.01, 0.2)))
        if request.body and self._sky.is_astray(request):
            self._story.tell(self._life.name, f"{what} at {vendor.name}: turned away by a gateway")
            return vendor.turn_away(request, 404)
        if strike is not None:
            return await self._struck(strike.kind, strike.amount, vendor, request, what, timeout)
        if spell is not None:
            return await self._weathered(spell, vendor, request, what, timeout)
        return await self._served(vendor, request, what)

    async def _served(self, vendor: Vendor, request: Request, what: str) -> Response:
        answer = vendor.serve(request)
        self._story.tell(self._life.name, f"{what} at {vendor.name}: {answer.status} {answer.body[:60]!r}")
        await asyncio.sleep(self._chance.choice((0.0, 0.001, 0.05)))
        return answer

    async def _weathered(self, spell: Spell, vendor: Vendor, request: Request, what: str, timeout: float) -> Response:
        draw = self._chance.random()
        match spell.kind:
            case Weather.OUTAGE:
                kind = _OUTAGES[int(draw * len(_OUTAGES))]
                self._story.strike(spell.kind, self._life.name, f"{what} at {vendor.name}")
                return await self._struck(kind, draw, vendor, request, what, timeout, quiet=True)
            case Weather.REVOKED:
                self._story.strike(spell.kind, self._life.name, f"{what} at {vendor.name}")
                return vendor.turn_away(request, 401)
            case Weather.STORM if draw < 0.8:
                self._story.strike(spell.kind, self._life.name, f"{what} at {vendor.name}")
                return vendor.turn_away(request, 429, self._retry_after(draw / 0.8))
            case Weather.SLOW:
                self._story.strike(spell.kind, self._life.name, f"{what} at {vendor.name}")
                await asyncio.sleep(timeout * 0.5)
                return await self._served(vendor, request, what)
            case _:
                return await self._served(vendor, request, what)

    async def _struck(
        self,
        kind: AtCall,
        amount: float,
        vendor: Vendor,
        request: Request,
        what: str,
        timeout: float,
        *,
        quiet: bool = False,
    ) -> Response:
        if not quiet:
            self._story.strike(kind, self._life.name, f"{what} at {vendor.name}")
        if request.body and kind not in _CLEAR:
            self._sky.unclear.add(str(exact_json.loads(request.body).get("name")))
        match kind:
            case AtCall.NOT_SENT:
                raise NotSent("No connection could be made.", host=vendor.host)
            case AtCall.RESET_BEFORE:
                vendor.note_unanswered(request)
                raise _broken()
            case AtCall.TIMEOUT_BEFORE:
                vendor.note_unanswered(request)
                await asyncio.sleep(timeout)
                raise _timeout(timeout)
            case AtCall.LATE:
                # It lies somewhere on the way, and comes through when its caller has long given up.
                self._loop.call_later(timeout + amount * COMES_LATE, vendor.serve, request, context=Context())
                await asyncio.sleep(timeout)
                raise _timeout(timeout)
            case AtCall.ERROR_BEFORE:
                vendor.note_unanswered(request)
                return Response(status=500, body=b"{}")
            case AtCall.UNAVAILABLE:
                return vendor.turn_away(request, 503, self._retry_after(amount))
            case AtCall.TOO_MANY:
                return vendor.turn_away(request, 429, self._retry_after(amount))
            case AtCall.KILLED_BEFORE:
                return await self._die()
            case AtCall.SLOW:
                await asyncio.sleep(timeout * 0.9)
                return await self._served(vendor, request, what)
            case _:
                return await self._struck_after(kind, vendor, request, what, timeout)

    async def _struck_after(
        self, kind: AtCall, vendor: Vendor, request: Request, what: str, timeout: float
    ) -> Response:
        """Let the vendor do what it was asked, and let its answer meet what there is."""
        answer = await self._served(vendor, request, what)
        match kind:
            case AtCall.RESET_AFTER:
                raise _broken()
            case AtCall.REFUSED_AGAIN:
                if answer.status < 300:
                    self._sky.lead_astray(request)
                raise _broken()
            case AtCall.TIMEOUT_AFTER:
                await asyncio.sleep(timeout)
                raise _timeout(timeout)
            case AtCall.HALF_ANSWER:
                return Response(status=answer.status, headers=answer.headers, body=answer.body[: len(answer.body) // 2])
            case AtCall.LOGIN_PAGE:
                return Response(status=200, body=_LOGIN)
            case AtCall.ERROR_AFTER:
                return Response(status=500, body=b"{}")
            case AtCall.GATEWAY:
                return Response(status=502, body=b"<html>bad gateway</html>")
            case AtCall.KILLED_AFTER:
                return await self._die()
            case _:
                raise AssertionError(kind)

    async def _die(self) -> Response:
        self._kill()
        # Nothing of this process runs any more, so this never returns.
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    def _retry_after(self, amount: float) -> dict[str, str]:
        """Give a wish to wait in one of the forms that vendors have for it, sense or not."""
        now = self._now()
        forms: tuple[dict[str, str], ...] = (
            {},
            {"retry-after": "1"},
            {"retry-after": str(int(1 + amount * 40))},
            {"retry-after": "-1"},
            {"retry-after": "1000000000"},
            {"retry-after": f"{_http(now + timedelta(seconds=5))}|{_http(now)}"},
            {"retry-after": "soon"},
        )
        return dict(forms[int(amount * len(forms)) % len(forms)])


def _heard(carried: asyncio.Task[Response]) -> None:
    """Take what came of a request, since nobody may be there any more who does."""
    if not carried.cancelled():
        carried.exception()


def _http(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def _timeout(seconds: float) -> OutcomeUnknown:
    return OutcomeUnknown("No answer came in time.", code="timeout", seconds=seconds)


def _broken() -> OutcomeUnknown:
    return OutcomeUnknown("The connection broke.", code="connection-broken")
