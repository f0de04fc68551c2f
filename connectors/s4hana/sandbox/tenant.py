"""One tenant: its tables, settings, users and books, and what it tells the control API."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from connectors.s4hana.sandbox import books, seeding
from connectors.s4hana.sandbox.business.catalogue import FUNCTIONS, RULES
from connectors.s4hana.sandbox.business.organisation import Organisation
from connectors.s4hana.sandbox.business.rules import Rules
from connectors.s4hana.sandbox.edm.model import Service
from connectors.s4hana.sandbox.edm.reading import catalogue
from connectors.s4hana.sandbox.events import Event, Events
from connectors.s4hana.sandbox.odata.errors import Message, Refusal, Scene
from connectors.s4hana.sandbox.odata.exchange import Call
from connectors.s4hana.sandbox.odata.incoming import Reader
from connectors.s4hana.sandbox.odata.repeats import Repeats
from connectors.s4hana.sandbox.sessions import Sessions
from connectors.s4hana.sandbox.settings import Settings
from connectors.s4hana.sandbox.soap.inbox import Inbox
from connectors.s4hana.sandbox.store import Key, Row, Store
from connectors.s4hana.sandbox.users import Users
from hub.sandbox.limits import Limiter
from hub.sandbox.world import World

_PLAIN = Rules()


class Tenant:
    """The state of the tenant; rows change only through the rules of their table."""

    def __init__(self, world: World) -> None:
        """Start with organisational data, one communication user and no business."""
        self.world = world
        self.limiter = Limiter(clock=world.clock)
        # Tokens go on after a reset, so that none of them is given out twice.
        self._dice = Random(f"s4hana:{world.seed}:sessions")
        self.users = Users(world, self._dice)
        self.events = Events(world)
        self.inbox = Inbox(self)
        self._begin()

    def _begin(self) -> None:
        self.settings = Settings()
        self.store = Store()
        self.random = Random(f"s4hana:{self.world.seed}")  # dice of a simulation, nothing secret
        self.services: dict[str, Service] = dict(catalogue())
        self.organisation = Organisation()
        self.sessions = Sessions(self.world, self._dice)
        self.repeats = Repeats(self.world)
        #: Who executes the present request, for `CreatedByUser`.
        self.user = "CC0000000001"
        self.locks: dict[tuple[str, Key], tuple[str, float | None]] = {}
        self._numbers: Counter[str] = Counter()
        self._last = datetime.min.replace(tzinfo=self.world.clock.now().tzinfo)
        self._warnings: list[Message] = []
        self._pending: list[Event] | None = None
        #: How releases have changed what events tell.
        self.event_changes: list[Callable[[Event], Event]] = []
        self.limiter.rate = self.limiter.concurrency = None
        self.organisation.write(self)

    # --- time, numbers and ids ---

    def now(self) -> datetime:
        """Give the tenant's time."""
        return self.world.clock.now()

    def today(self) -> date:
        """Give the day in the tenant's time zone, which is UTC."""
        return self.now().date()

    def stamp(self) -> datetime:
        """Give a moment for a change: no two changes have the same."""
        self._last = max(self.now(), self._last + timedelta(microseconds=1))
        return self._last

    def number(self, name: str, first: int) -> int:
        """Draw the next number of a range; what fails later leaves a gap."""
        self._numbers[name] += 1
        return first - 1 + self._numbers[name]

    def skip(self, name: str, count: int) -> None:
        """Leave a gap in a range, as a server with a buffer of numbers does when it is restarted."""
        self._numbers[name] += count

    def guid(self) -> str:
        """Give a new GUID, the same for the same seed."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    # --- what requests need ---

    def page_size(self, service: Service) -> int:
        """Give how many rows an answer of a service has at the most."""
        return self.settings.page_sizes.get(service.name, self.settings.page_size)

    def rules(self, table: str) -> Rules:
        """Give what SAP does with rows of a table."""
        return RULES.get(table, _PLAIN)

    def function(self, service: str, name: str) -> Callable[[Tenant, Mapping[str, Any]], Sequence[Mapping[str, Any]]]:
        """Give what a function import does."""
        return FUNCTIONS[service, name]

    def visible(self, row: Row) -> bool:
        """Tell whether reporting shows a row already."""
        at = row.get("_visible")
        return at is None or at <= self.now()

    def warn(self, message: Message) -> None:
        """Keep a warning for the answer."""
        self._warnings.append(message)

    def take_warnings(self) -> list[Message]:
        """Give the warnings of this request, and forget them."""
        warnings, self._warnings = self._warnings, []
        return warnings

    def scene(self, service: Service | None) -> Scene:
        """Give where an error happens."""
        name = "" if service is None else service.name
        return Scene(
            service=name,
            component=_COMPONENTS.get(name, "OPU-BSE-SDE"),
            transaction=self.guid().replace("-", "").upper(),
            timestamp=self.now().strftime("%Y%m%d%H%M%S.") + f"{self.now().microsecond:06d}0",
        )

    def reader(self, service: Service, call: Call, *, making: bool = True) -> Reader:
        """Give what reads the body of a creation, or of a change."""
        lenient = self.settings.read_only_properties == "ignore"
        return Reader(service=service, making=making, lenient=lenient, call=call)

    def check_lock(self, table: str, key: Key) -> None:
        """Refuse to write what somebody else is processing."""
        for (locked, prefix), (user, ends) in list(self.locks.items()):
            if ends is not None and ends <= self.world.clock.monotonic():
                del self.locks[locked, prefix]
            elif locked in (table, _HEADS.get(table)) and key[: len(prefix)] == prefix:
                raise being_processed(locked, prefix[0], user)

    @contextmanager
    def unit_of_work(self) -> Iterator[None]:
        """Keep all that the block does, or nothing; events go out when all of it stands."""
        if self._pending is not None:
            with self.store.transaction():
                yield
            return
        self._pending = []
        warned = len(self._warnings)
        try:
            with self.store.transaction():
                yield
        except BaseException:
            del self._warnings[warned:]
            raise
        else:
            for event in self._pending:
                self.events.publish(event)
        finally:
            self._pending = None

    def raise_event(self, type: str, **keys: str) -> None:
        """Tell subscribers of a change once it stands; an event has keys only."""
        if not self.events.wanted:
            return
        event = Event(id=self.guid(), type=type, data=keys, at=self.now())
        for change in self.event_changes:
            event = change(event)
        if self._pending is None:
            self.events.publish(event)
        else:
            self._pending.append(event)

    # --- what the control API asks for ---

    def announce(self) -> Mapping[str, Any]:
        """Give what a client needs to sign in; passwords are the sandbox's own invention."""
        return self.users.announce()

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make what is wished; see `seeding`."""
        return await seeding.seed(self, wish)

    def snapshot(self) -> Mapping[str, Any]:
        """Give the books; see `books`."""
        return books.snapshot(self)

    def progress(self) -> Mapping[str, Any]:
        """Tell what is under way."""
        return {"deliveries": self.events.waiting, "confirmations": self.inbox.waiting}

    async def reset(self) -> None:
        """Forget all business and settings; users and their passwords stay."""
        self.events.forget()
        self.inbox.forget()
        self._begin()


def being_processed(table: str, number: str, user: str) -> Refusal:
    """Make the refusal for what somebody else works on: a business error, although it passes by itself."""
    code, what = _LOCKED.get(_HEADS.get(table, table), ("CM/025", "Object"))
    return Refusal(f"{what} {number} is currently being processed by user {user}", code=code)


_COMPONENTS = {
    "API_BUSINESS_PARTNER": "LO-MD-BP",
    "API_SALES_ORDER_SRV": "SD-SLS-API",
    "CE_SALESORDER_0001": "SD-SLS-API",
    "API_CREDIT_MEMO_REQUEST_SRV": "SD-SLS-API",
    "API_BILLING_DOCUMENT_SRV": "SD-BIL-API",
    "API_PRODUCT_SRV": "LO-MD-MM",
    "API_OPLACCTGDOCITEMCUBE_SRV": "FI-FIO-GL",
    "API_GLACCOUNTLINEITEM": "FI-FIO-GL",
    "API_JOURNALENTRYITEMBASIC_SRV": "FI-FIO-GL",
}
#: Who works on a part works on the whole.
_HEADS = {
    "A_SalesOrderItem": "A_SalesOrder",
    "A_SalesOrderItemPrElement": "A_SalesOrder",
    "A_SalesOrderHeaderPartner": "A_SalesOrder",
    "A_CreditMemoRequestItem": "A_CreditMemoRequest",
    "A_BusinessPartnerAddress": "A_BusinessPartner",
    "A_BusinessPartnerRole": "A_BusinessPartner",
    "A_BusinessPartnerTaxNumber": "A_BusinessPartner",
    "A_Customer": "A_BusinessPartner",
    "A_CustomerCompany": "A_BusinessPartner",
    "A_CustomerSalesArea": "A_BusinessPartner",
}
_LOCKED = {
    "A_SalesOrder": ("V1/042", "Sales document"),
    "A_CreditMemoRequest": ("V1/042", "Sales document"),
    "A_BusinessPartner": ("R1/410", "Business partner"),
    "A_Product": ("M3/897", "Material"),
    "A_BillingDocument": ("VF/047", "Billing document"),
}
