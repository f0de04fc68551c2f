"""What several processes had in hand when they died is tried apart, and soon."""

import pytest
from sqlalchemy import select, update

from hub.store import deaths
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.tables import runs
from tests.store.test_committer import accept


@pytest.mark.parametrize(("number", "apart", "last"), [(3, 5.0, 15.0), (300, 0.2, 60.0)])
async def test_of_many_suspects_all_go_within_a_minute(
    store: tuple[Database, Committer], number: int, apart: float, last: float
) -> None:
    """What ends processes with hundreds in hand, time and again, is rather something else than one of them."""
    database, committer = store
    for each in range(number):
        committer.leave(accept(each, key=f"k{each}"))

    def suspected(transaction: Transaction) -> int:
        transaction.connection.execute(update(runs).values(deaths=2))
        deaths.set_apart(transaction, "test")
        return transaction.now

    now = await committer.commit(Work(suspected))
    with database.reading() as connection:
        times = sorted(connection.execute(select(runs.c.claimable_at)).scalars())
    assert len(times) == number
    assert ((times[1] - times[0]) / 1e6, (times[-1] - now) / 1e6) == (apart, last)
