"""Signs and sends webhooks as Standard Webhooks says."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp

from hub.sandbox.exact_json import dumps
from hub.sandbox.world import World

#: Waits between attempts in seconds, sped up against the hours of a real service.
_SCHEDULE = (0.0, 0.1, 0.5, 2.0, 5.0)


def sign(secret: str, identity: str, body: bytes, at: datetime) -> dict[str, str]:
    """Give the three headers of a webhook; `secret` is `whsec_` and base64."""
    timestamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    message = f"{identity}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
    return {"webhook-id": identity, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


class Sender:
    """Sends each event to `url` until it is answered with 2xx or the schedule ends; nothing while there is no url."""

    def __init__(self, world: World) -> None:
        """Draw the secret from the sandbox's dice."""
        self._world = world
        self.secret = "whsec_" + base64.b64encode(world.random.randbytes(24)).decode()
        self.url: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, identity: str, event: Mapping[str, Any]) -> None:
        """Begin to send an event."""
        if self.url is not None:
            task = asyncio.get_running_loop().create_task(self._deliver(self.url, identity, dumps(event)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is still being sent."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, url: str, identity: str, body: bytes) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as client:
            for wait in _SCHEDULE:
                await asyncio.sleep(wait)
                headers = sign(self.secret, identity, body, self._world.clock.now())
                try:
                    async with client.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                        if 200 <= answer.status < 300:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    continue
