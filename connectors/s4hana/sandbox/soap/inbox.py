"""Asynchronous journal entries: taken in once by their message id, posted later, and confirmed to whom it concerns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.agenda import Agenda
from connectors.s4hana.sandbox.soap import journal
from connectors.s4hana.sandbox.soap.xml import Element

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

_OUT = "http://sap.com/xi/SAPSCORE/SFIN/JournalEntryBulkCreationRequest_Out/JournalEntryBulkCreationRequest_OutRequest"
#: Attempts to deliver a confirmation, and the seconds between them.
_WAITS = (30.0, 120.0, 600.0, 3600.0)


class Inbox:
    """The messages that arrived and are not posted yet; `log` tells what became of each."""

    def __init__(self, tenant: Tenant) -> None:
        """Start empty."""
        self._tenant = tenant
        self._agenda = Agenda(tenant.world)
        self._seen: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.log: list[dict[str, Any]] = []

    @property
    def sending(self) -> bool:
        """Tell whether a confirmation is on its way just now."""
        return bool(self._tasks)

    @property
    def waiting(self) -> int:
        """Count what waits to be posted or confirmed."""
        return len(self._agenda) + len(self._tasks)

    def work(self) -> None:
        """Do what is due."""
        self._agenda.catch_up()

    def forget(self) -> None:
        """Forget everything."""
        self._agenda.forget()
        self._seen.clear()
        self.log.clear()

    def take(self, request: Element, *, transport_id: str, user: str) -> None:
        """Take a message in; one whose id was seen before is ignored, as the application framework does it."""
        identity = transport_id or journal.message_id(request)
        entry: dict[str, Any] = {"id": identity, "state": "waiting", "results": [], "confirmed": None}
        self.log.append(entry)
        if identity and identity in self._seen:
            entry["state"] = "duplicate"
            return
        self._seen.add(identity)
        self._agenda.plan(self._tenant.settings.posting_seconds, lambda: self._post(request, entry, user))

    def _post(self, request: Element, entry: dict[str, Any], user: str) -> None:
        tenant = self._tenant
        tenant.user = user
        outcomes = journal.execute(tenant, request)
        entry["state"] = "posted" if all(each.posted for each in outcomes) else "failed"
        entry["results"] = journal.summary(outcomes)
        if tenant.settings.confirmation_url:
            text = journal.confirmation(tenant, request, outcomes, interface="JournalEntryBulkCreationRequest_Out")
            self._send(tenant.settings.confirmation_url, envelope(text), entry, 0)

    def _send(self, url: str, body: bytes, entry: dict[str, Any], attempt: int) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(url, body, entry, attempt))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, url: str, body: bytes, entry: dict[str, Any], attempt: int) -> None:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{_OUT}"'}
        login = self._tenant.settings.confirmation_authorization
        headers |= {"Authorization": login} if login else {}
        status = await self._tenant.events.send(url, headers, body)
        entry["confirmed"] = status
        if (status is None or status >= 300) and attempt < len(_WAITS):
            self._agenda.plan(_WAITS[attempt], lambda: self._send(url, body, entry, attempt + 1))


def envelope(text: str) -> bytes:
    """Put a message into a SOAP 1.1 envelope."""
    return (
        '<soap-env:Envelope xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/"><soap-env:Header/>'
        f"<soap-env:Body>{text}</soap-env:Body></soap-env:Envelope>"
    ).encode()
