"""The shop: it lets things happen, tells of them by webhook until it is heard, and keeps them to be read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from hub.proof.evidence import Delivery
from hub.proof.simulation.clock import BEGINNING
from hub.proof.simulation.company import SHOP
from hub.proof.simulation.connector import sign
from hub.proof.simulation.host import Host
from hub.proof.simulation.loop import VirtualLoop
from hub.proof.simulation.scenario import Happening, Scenario
from hub.proof.simulation.story import Story
from hub.proof.simulation.troubles import AtDelivery, DeliveryTrouble, Trouble
from hub.proof.simulation.vendor import Vendor
from hub.sdk import exact_json

#: Seconds before a webhook is tried again; after the last one the shop gives up.
_WAITS = (1.0, 5.0, 30.0, 120.0, 600.0)
#: The shop waits so long for an answer.
_PATIENCE = 4.0
#: A late webhook is up to so many seconds late.
_LATE = 90.0


class Shop:
    """Lets a scenario happen; `told` is every delivery with what it was answered."""

    def __init__(
        self,
        scenario: Scenario,
        vendor: Vendor,
        host: Host,
        *,
        loop: VirtualLoop,
        story: Story,
        troubles: Sequence[Trouble],
    ) -> None:
        """Take what is to happen; nothing does yet."""
        self._scenario = scenario
        self._vendor = vendor
        self._host = host
        self._loop = loop
        self._story = story
        self._troubles: dict[int, list[DeliveryTrouble]] = {}
        for trouble in troubles:
            if isinstance(trouble, DeliveryTrouble):
                self._troubles.setdefault(trouble.event, []).append(trouble)
        self.told: list[Delivery] = []
        self.forged = 0

    async def run(self) -> None:
        """Let everything happen at its time, and tell of it; done when nothing is left to be delivered."""
        async with asyncio.TaskGroup() as deliveries:
            for happening in self._scenario.happenings:
                await asyncio.sleep(max(happening.at - self._loop.time(), 0.0))
                body = self._body(happening)
                self._vendor.told.append(exact_json.loads(body))
                self._story.tell("shop", f"{happening.type} {happening.subject}")
                deliveries.create_task(self._deliver(happening, body))

    def _body(self, happening: Happening, **other: Any) -> bytes:
        at = (BEGINNING + timedelta(seconds=happening.at)).isoformat()
        return exact_json.dumps(
            {"id": happening.id, "type": happening.type, "at": at, "data": {**happening.data, **other}}
        )

    async def _deliver(self, happening: Happening, body: bytes) -> None:
        troubles = self._troubles.get(happening.number, ())
        for trouble in troubles:
            self._story.strike(trouble.kind, "shop", happening.id)
        kinds: Mapping[AtDelivery, DeliveryTrouble] = {trouble.kind: trouble for trouble in troubles}
        if AtDelivery.LOST in kinds:
            return
        if AtDelivery.LATE in kinds:
            await asyncio.sleep(kinds[AtDelivery.LATE].amount * _LATE)
        async with asyncio.TaskGroup() as posts:
            if AtDelivery.TWICE in kinds:
                posts.create_task(self._again(happening, body, kinds[AtDelivery.TWICE].amount * 10))
            if AtDelivery.OTHER_CONTENT in kinds:
                other = self._body(happening, amount={"minor": 1, "currency": "EUR"}, quantity=1000, text="other")
                posts.create_task(self._beside(happening, other, kinds[AtDelivery.OTHER_CONTENT].amount * 5 + 1))
            if AtDelivery.FORGED in kinds:
                posts.create_task(self._forge(happening, kinds[AtDelivery.FORGED].amount))
            if AtDelivery.TORN in kinds:
                status = await self._post(body[: len(body) // 2])
                self._note(happening, status, spoiled=True)
            await self._until_heard(happening, body, deaf=AtDelivery.DEAF in kinds)

    async def _until_heard(self, happening: Happening, body: bytes, *, deaf: bool) -> None:
        for wait in _WAITS:
            status = await self._post(body)
            if deaf:
                # It was taken, and the shop never heard.
                status, deaf = None, False
            self._note(happening, status)
            if status == 202:
                return
            await asyncio.sleep(wait)

    async def _again(self, happening: Happening, body: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._note(happening, await self._post(body))

    async def _beside(self, happening: Happening, body: bytes, seconds: float) -> None:
        """Send other content under the same id, after the true one has been heard."""
        await asyncio.sleep(seconds)
        if any(delivery.event == happening.id and delivery.acknowledged for delivery in self.told):
            await self._post(body)

    async def _forge(self, happening: Happening, amount: float) -> None:
        body = self._body(happening, amount={"minor": int(amount * 1000), "currency": "EUR"}, quantity=7, text="forged")
        body = body.replace(happening.id.encode(), b"forged" + happening.id.encode())
        self.forged += 1
        await self._post(body, signature="0" * 64)

    async def _post(self, body: bytes, signature: str | None = None) -> int | None:
        """Post to the hub; gives the status, or None when nobody answered."""
        process = self._host.current
        if process.life.ended or process.life.asleep or not process.ready.done():
            return None
        # The shop's own clock is right, whatever the hub's machine shows.
        headers = sign(body, BEGINNING + timedelta(seconds=self._loop.time()))
        if signature is not None:
            headers["webhook-signature"] = signature
        answer: asyncio.Task[int] = self._loop.live(process.life, process.door(SHOP, headers, body))
        done, _ = await asyncio.wait({answer}, timeout=_PATIENCE)
        return answer.result() if done else None

    def _note(self, happening: Happening, status: int | None, *, spoiled: bool = False) -> None:
        self._story.tell("shop", f"{happening.id} was answered {status}")
        self.told.append(Delivery(event=happening.id, family=happening.family, status=status, spoiled=spoiled))
