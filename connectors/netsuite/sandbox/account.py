"""One NetSuite account: everything it holds, and what it tells the control API."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.netsuite.sandbox import books, seeding
from connectors.netsuite.sandbox.applications import Applications
from connectors.netsuite.sandbox.documents import Document, Documents
from connectors.netsuite.sandbox.incoming import Reader
from connectors.netsuite.sandbox.jobs import Jobs
from connectors.netsuite.sandbox.ledger import Ledger
from connectors.netsuite.sandbox.problems import Refusal
from connectors.netsuite.sandbox.reference_data import ReferenceData
from connectors.netsuite.sandbox.restlets import Restlets
from connectors.netsuite.sandbox.signatures import Signatures
from connectors.netsuite.sandbox.tokens import Tokens
from hub.sandbox.clock import Clock
from hub.sandbox.limits import Limiter
from hub.sandbox.world import World

ACCOUNT_ID = "TSTDRV1234567"
#: What the smallest service tier allows, for REST, SOAP and RESTlets together.
CONCURRENCY = 5
_NUMBERING = {
    "customer": "CUST",
    "salesOrder": "SO",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One line of the Login Audit Trail: a login that was refused, how it was tried (`oauth2`, `tba`), and why."""

    at: datetime
    how: str
    reason: str


class Account:
    """The state of the account; records change only through `writing`."""

    def __init__(self, world: World) -> None:
        """Start with reference data, one integration and no business."""
        self.world = world
        self.tokens = Tokens(world.clock)
        self.signatures = Signatures(world.clock, account=ACCOUNT_ID, consumer_key=self.tokens.client_id)
        #: Why logins were refused; the answers do not say.
        self.login_audit: deque[Refused] = deque(maxlen=1000)
        self.limiter = Limiter(clock=world.clock)
        self.jobs = Jobs(world.clock)
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
        self.share_pool(concurrency=CONCURRENCY, others=0)
        #: What the role may not do: record types, `rest_webservices`, `restlets`, `suiteql`, `governanceLimits`.
        self.denied: frozenset[str] = frozenset()
        #: What a new sales order is when nobody says: A (to be approved) or B (approved).
        self.order_status = "A"
        self._numbers: Counter[str] = Counter()
        self._line_key = 0
        self._address_id = 0

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

    def address_id(self) -> int:
        """Give the next id of an address, unique in the account."""
        self._address_id += 1
        return self._address_id

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

    def share_pool(self, *, concurrency: int, others: int) -> None:
        """Set how many requests of all integrations may run at once, and how many of them others run all the time."""
        self.concurrency = concurrency
        self.others = others
        self.limiter.concurrency = max(concurrency - others, 0)

    def refuse_login(self, how: str, reason: str) -> None:
        """Note a refused login."""
        self.login_audit.append(Refused(at=self.clock.now(), how=how, reason=reason))

    def refuse_denied(self, what: str) -> None:
        """Refuse what the role has no permission for."""
        if what in self.denied:
            raise Refusal(
                f"Permission Violation: Your current role does not have permission to use {what}.",
                code="INSUFFICIENT_PERMISSION",
                status=403,
            )

    def announce(self) -> Mapping[str, Any]:
        """Give what a client needs to sign in, either way; keys and secrets are the sandbox's own invention."""
        return {
            "account": ACCOUNT_ID,
            "restlet_base_url": self.world.url,
            "client_id": self.tokens.client_id,
            "certificate_id": self.tokens.certificate_id,
            "algorithm": "ES256",
            "private_key": self.tokens.private_key,
            "consumer_secret": self.signatures.own.consumer_secret,
            "token_id": self.signatures.own.token,
            "token_secret": self.signatures.own.token_secret,
        }

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create reference data and customers, change settings; see `seeding`."""
        return seeding.seed(self, wish)

    def snapshot(self) -> Mapping[str, Any]:
        """Give the books, with all that jobs have done by now; see `books`."""
        self.jobs.work()
        return books.snapshot(self)

    def progress(self) -> Mapping[str, Any]:
        """Tell how many requests were refused because too many ran at once, and how many ran at once at most."""
        return {"refused_by_limits": self.limiter.refused, "highest_at_once": self.limiter.highest}

    async def reset(self) -> None:
        """Forget all business, settings and tokens; the integration and its certificates stay."""
        self._begin()
        self.jobs.forget()
        self.login_audit.clear()
        self.signatures.unlock()
        self.tokens.revoke_all()
        self.tokens.life = 3600
