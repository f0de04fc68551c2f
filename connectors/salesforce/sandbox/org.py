"""One Salesforce org: everything it holds, and what it tells the control API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.salesforce.sandbox import books, seeding
from connectors.salesforce.sandbox.bulk.jobs import Jobs
from connectors.salesforce.sandbox.currencies import Currencies
from connectors.salesforce.sandbox.cursors import Cursors
from connectors.salesforce.sandbox.guards import DuplicateRule, ValidationRule
from connectors.salesforce.sandbox.identifiers import Ids
from connectors.salesforce.sandbox.logins import Logins
from connectors.salesforce.sandbox.messages import Messages
from connectors.salesforce.sandbox.org_data import begin
from connectors.salesforce.sandbox.replication import DeleteLog
from connectors.salesforce.sandbox.saving import Saver
from connectors.salesforce.sandbox.schema import Field, Kind, Schema
from connectors.salesforce.sandbox.settings import Settings
from connectors.salesforce.sandbox.soql.scope import Test
from connectors.salesforce.sandbox.store import Record, Store
from connectors.salesforce.sandbox.usage import Usage
from hub.sandbox.clock import Clock
from hub.sandbox.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One write that the org accepted; `action` is insert, update, delete, undelete or purge."""

    number: int
    at: int
    action: str
    kind: str
    id: str
    user: str


class Org:
    """The state of the org; records change only through `put`, `bin` and `purge`."""

    def __init__(self, world: World) -> None:
        """Start with an organization, two users, the standard price book, and no business."""
        self.world = world
        self.logins = Logins(self)
        self.messages = Messages(self)
        self._begin()

    def _begin(self) -> None:
        self.settings = Settings()
        self.ids = Ids(self.world.seed)
        self.schema = Schema(now=self.now())
        self.store = Store(self.schema)
        self.deletions = DeleteLog(self)
        self.saver = Saver(self)
        self.cursors = Cursors(self)
        self.usage = Usage(self)
        self.currencies = Currencies(self)
        self.jobs = Jobs(self)
        self.accepted: list[Accepted] = []
        #: Record id → until when (milliseconds) somebody else holds it.
        self.locks: dict[str, int] = {}
        self.validation_rules: list[ValidationRule] = []
        self.duplicate_rules: list[DuplicateRule] = []
        #: Conditions that were compiled, with the schema's edition they were compiled for.
        self.conditions: dict[tuple[str, str], tuple[int, Test]] = {}
        self._numbers: Counter[tuple[str, str]] = Counter()
        #: Whose request is being answered; automation acts as this user.
        self.acting = ""
        self.standard_price_book = ""
        self.organization_id = ""
        self.user_id = ""
        begin(self)

    @property
    def clock(self) -> Clock:
        """Give the sandbox's clock."""
        return self.world.clock

    def now(self) -> int:
        """Give the time in milliseconds since 1970; Salesforce keeps whole seconds of its own moments."""
        return self.clock.timestamp() * 1000

    @property
    def user_currency(self) -> str:
        """Give the currency of the user who is signed in, which new records get."""
        user = self.store.get(self.acting or self.user_id)
        return str((user and user.get("DefaultCurrencyIsoCode")) or self.currencies.home)

    def number(self, kind: str, field: Field) -> str:
        """Give the next number of a field that counts by itself, such as `ENT-000001`."""
        self._numbers[kind, field.name] += 1
        begin_, _, rest = field.auto_number.partition("{")
        zeros, _, end = rest.partition("}")
        return f"{begin_}{self._numbers[kind, field.name]:0{len(zeros)}d}{end}"

    def put(
        self,
        kind: Kind,
        id: str,
        values: Mapping[str, Any],
        *,
        user: str,
        before: Record | None,
        action: str = "",
        quiet: bool = False,
    ) -> Record:
        """Keep a record with its system fields; what is `quiet` Salesforce does by itself, and marks no user for it."""
        now = self.now()
        made = before is None
        kept = {name: value for name, value in values.items() if value is not None}
        kept["SystemModstamp"] = now
        if not quiet:
            kept["LastModifiedDate"], kept["LastModifiedById"] = now, user
        if made:
            kept["CreatedDate"], kept["CreatedById"] = now, user
        record = self.store.put(kind.name, id, kept)
        if action == "undelete":
            self.deletions.leave(record)
        self._note(action or ("insert" if made else "update"), record, user)
        return record

    def bin(self, record: Record, *, user: str) -> None:
        """Put a record into the recycle bin."""
        now = self.now()
        values = {**record.values, "SystemModstamp": now, "LastModifiedDate": now, "LastModifiedById": user}
        binned = self.store.put(record.kind, record.id, values, deleted=now)
        self.deletions.enter(binned)
        self._note("delete", binned, user)

    def purge(self, record: Record, *, user: str) -> None:
        """Forget a record for good."""
        self.store.remove(record.kind, record.id)
        self._note("purge", record, user)

    def _note(self, action: str, record: Record, user: str) -> None:
        entry = Accepted(
            number=len(self.accepted) + 1, at=self.now(), action=action, kind=record.kind, id=record.id, user=user
        )
        self.accepted.append(entry)
        self.store.when_undone(self.accepted.pop)
        self.messages.noticed(action, record)

    def announce(self) -> Mapping[str, Any]:
        """Give what a client needs to sign in; keys and secrets are the sandbox's own invention."""
        return {"organization_id": self.organization_id, "api_version": "68.0", **self.logins.announce()}

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create records, alter the schema, change settings; see `seeding`."""
        return seeding.seed(self, wish)

    def snapshot(self) -> Mapping[str, Any]:
        """Give the books; see `books`."""
        return books.snapshot(self)

    def progress(self) -> Mapping[str, Any]:
        """Tell how many calls were refused and how many count today, and what became of messages."""
        return {
            "refused_by_limits": self.usage.refused,
            "calls_of_the_day": self.usage.of_the_day,
            "messages_waiting": self.messages.waiting,
            "messages_dropped": self.messages.dropped,
        }

    async def reset(self) -> None:
        """Forget all business, settings, rules and sessions; the app and its keys stay."""
        self.messages.unsubscribe_all()
        self._begin()
        self.logins.forget()
