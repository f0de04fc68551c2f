"""The door, the worker and the orders of one hub over its data: one place says what each of them is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from hub.connections.accounts import Account
from hub.connections.budgets import Budgets, StoredBudgets
from hub.connections.hands import SHARE
from hub.connections.ledgers import Ledgers
from hub.engine.parts import Parts
from hub.engine.worker import Worker
from hub.intake.deliveries import Deliveries
from hub.intake.door import Intake
from hub.model.ambient import Ambient
from hub.operate.effects import EffectOrders
from hub.operate.events import EventOrders
from hub.operate.holds import HoldOrders
from hub.operate.orders import Orders
from hub.operate.runs import RunOrders
from hub.runtime.settings import IN_HAND, HubSettings
from hub.store.committer import Committer
from hub.store.database import Database
from hub.store.marks import Restored
from hub.workspace.bundle import Bundle

#: Gives the revision of a run by its id.
Shelf = Callable[[str], Awaitable[Bundle]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """What takes events in, what works on their runs, and what people order of them; nothing runs yet."""

    intake: Intake
    deliveries: Deliveries
    #: What the worker works with; one that takes its place has the same, but for its name.
    parts: Parts
    worker: Worker
    orders: Orders
    run_orders: RunOrders
    effect_orders: EffectOrders
    event_orders: EventOrders
    hold_orders: HoldOrders


def wired(
    *,
    environment: str,
    name: str,
    ambient: Ambient,
    database: Database,
    committer: Committer,
    accounts: Mapping[str, Account],
    current: Callable[[], Bundle],
    shelf: Shelf | None = None,
    restored: Restored | None = None,
    refused: Collection[str] = (),
    intake: type[Intake] = Intake,
    worker: type[Worker] = Worker,
    capacity: int = IN_HAND,
) -> Wired:
    """Wire one hub of an environment; `name` is what its worker is called in leases and in the audit.

    `current()` gives the revision that new events are handled by, and `shelf` the one of a run; without a shelf, all
    runs are of the current one. A proof puts other classes in the place of `intake` and `worker`.
    """
    kept = shelf or only(current)
    door = intake(environment=environment, ambient=ambient, committer=committer, accounts=accounts, bundle=current)
    parts = Parts(
        environment=environment,
        worker=name,
        ambient=ambient,
        database=database,
        committer=committer,
        accounts=accounts,
        bundle=kept,
        current=current,
        restored=restored,
        capacity=capacity,
        refused=refused,
    )
    orders = Orders(environment=environment, ambient=ambient, database=database, committer=committer, accounts=accounts)
    return Wired(
        intake=door,
        deliveries=Deliveries(
            environment=environment, ambient=ambient, committer=committer, bundle=current, intake=door
        ),
        parts=parts,
        worker=worker(parts),
        orders=orders,
        run_orders=RunOrders(
            environment=environment,
            ambient=ambient,
            database=database,
            committer=committer,
            current=current,
            bundle=kept,
        ),
        effect_orders=EffectOrders(
            environment=environment,
            ambient=ambient,
            database=database,
            committer=committer,
            accounts=accounts,
            bundle=current,
        ),
        event_orders=EventOrders(
            environment=environment,
            ambient=ambient,
            database=database,
            committer=committer,
            accounts=accounts,
            bundle=current,
            take=door.read_again,
        ),
        hold_orders=HoldOrders(
            environment=environment,
            ambient=ambient,
            database=database,
            committer=committer,
            orders=orders,
            bundle=current,
        ),
    )


def budgets_of(
    environment: str,
    ambient: Ambient,
    committer: Committer,
    *,
    database: Database | None = None,
    settings: HubSettings | None = None,
) -> Budgets:
    """Give the budgets of an environment's accounts, which survive restarts.

    In a `database` that several processes have, what an account may be asked for is shared with them, by its clock. The
    `settings` say how many runs one account alone may hold, and after which silence others go on with them.
    """
    ledgers = None
    if database is not None and database.dialect != "sqlite" and ambient.hear is not None:
        missed_after = None if settings is None else settings.lease_seconds
        ledgers = Ledgers(database.apart, environment=environment, holder=committer.name, missed_after=missed_after)
    return Budgets(
        environment=environment,
        ambient=ambient,
        store=StoredBudgets(environment=environment, committer=committer),
        share=SHARE if settings is None else settings.of_one_account,
        ledgers=ledgers,
    )


def only(current: Callable[[], Bundle]) -> Shelf:
    """Give the shelf of a hub that has one revision."""

    async def shelf(_bundle_id: str) -> Bundle:
        return current()

    return shelf
