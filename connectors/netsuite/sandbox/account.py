"""One NetSuite account: everything it holds, and what it tells the control API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.netsuite.sandbox import books, seeding
from connectors.netsuite.sandbox.applications import Applications
from connectors.netsuite.sandbox.documents import Document, Documents
from connectors.netsuite.sandbox.incoming import Reader
from connectors.netsuite.sandbox.ledger import Ledger
from connectors.netsuite.sandbox.reference_data import ReferenceData
from connectors.netsuite.sandbox.restlets import Restlets
from connectors.netsuite.sandbox.tokens import Tokens
from hub.sandbox.clock import Clock
from hub.sandbox.limits import Limiter
from hub.sandbox.world import World

ACCOUNT_ID = "TSTDRV1234567"
#: What the smallest service tier allows, for REST, SOAP and RESTlets together.
CONCURRENCY = 5
_NUMBERING = {
    "customer": "CUST",
    "invoice": "INV",
    "creditMemo": "CM",
    "customerPayment": "PYMT",
    "customerRefund": "RFND",
    "customerDeposit": "DEP",
    "depositApplication": "DEPAPP",
    "journalEntry": "JE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One write that the account accepted; `action` is create, update, transform, delete or call."""

    number: int
    at: datetime
    action: str
    type: str
    id: str
    external_id: str | None
    memo: str | None


class Account:
    """The state of the account; records change only through `writing`."""

    def __init__(self, world: World) -> None:
        """Start with reference data, one integration and no business."""
        self.world = world
        self.tokens = Tokens(world.clock)
        self.limiter = Limiter(clock=world.clock, concurrency=CONCURRENCY)
        self._begin()

    def _begin(self) -> None:
        self.references = ReferenceData()
        self.documents = Documents()
        self.applications = Applications()
        self.ledger = Ledger()
        self.restlets = Restlets()
        self.reader = Reader(self.references, self.documents)
        self.accepted: list[Accepted] = []
        self.deleted: list[Document] = []
        #: Seconds every request takes, so that requests in flight can add up.
        self.latency = 0.0
        self._numbers: Counter[str] = Counter()
        self._line_key = 0

    @property
    def clock(self) -> Clock:
        """Give the sandbox's clock."""
        return self.world.clock

    def number(self, kind: str) -> str:
        """Give the next document number of a record type."""
        self._numbers[kind] += 1
        return f"{_NUMBERING[kind]}{self._numbers[kind]:05}"

    def line_key(self) -> str:
        """Give the next key of a transaction line, unique in the account."""
        self._line_key += 1
        return str(self._line_key)

    def accept(self, action: str, kind: str, internal_id: str, external_id: str | None, memo: str | None) -> None:
        """Note an accepted write, in order."""
        self.accepted.append(
            Accepted(
                number=len(self.accepted) + 1,
                at=self.clock.now(),
                action=action,
                type=kind,
                id=internal_id,
                external_id=external_id,
                memo=memo,
            )
        )

    def announce(self) -> Mapping[str, Any]:
        """Give what a client needs to get a token; the key is the sandbox's own invention."""
        return {
            "account": ACCOUNT_ID,
            "restlet_base_url": self.world.url,
            "client_id": self.tokens.client_id,
            "certificate_id": self.tokens.certificate_id,
            "algorithm": "ES256",
            "private_key": self.tokens.private_key,
        }

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create reference data and customers, change settings; see `seeding`."""
        return seeding.seed(self, wish)

    def snapshot(self) -> Mapping[str, Any]:
        """Give the books; see `books`."""
        return books.snapshot(self)

    async def reset(self) -> None:
        """Forget all business, settings and tokens; the integration and its certificates stay."""
        self._begin()
        self.tokens.revoke_all()
        self.tokens.life = 3600
        self.limiter.concurrency = CONCURRENCY
