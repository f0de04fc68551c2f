"""What a connector without a network keeps is durable before it answers, and is kept once."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.taxtable.connector import CONNECTOR
from connectors.taxtable.samples import FILES, SALE
from hub.connections.embedded import EmbeddedTransport
from hub.errors import Fatal, FixConnection
from hub.model.ambient import Ambient
from hub.model.exchange import Request
from hub.runtime.clock import SystemClock
from hub.sdk.connector import WriteOperation
from hub.sdk.embedded import Embedded, Shelf
from hub.sdk.exact_json import loads
from hub.sdk.values import EffectKey, Response
from hub.store.committer import Committer
from hub.store.database import Database

SETTINGS = CONNECTOR.settings.model_validate({"rounding": "line", "halves": "up"})
EMBEDDED = CONNECTOR.embedded
assert EMBEDDED is not None
Life = Callable[..., AbstractAsyncContextManager[EmbeddedTransport]]


@pytest.fixture
def life(tmp_path: Path) -> Life:
    @asynccontextmanager
    async def lived(
        connection: str = "tax-table", files: Mapping[str, bytes] = FILES, embedded: Any = EMBEDDED
    ) -> AsyncIterator[EmbeddedTransport]:
        ambient = Ambient(clock=SystemClock(), random=random.Random(1))
        database = Database(tmp_path)
        committer = Committer(database, ambient)
        committer.start()
        try:
            yield EmbeddedTransport(
                embedded,
                SETTINGS,
                environment="test",
                connection=connection,
                database=database,
                committer=committer,
                ambient=ambient,
                revision=lambda: (str(hash(files["tax/rates.csv"])), files),
            )
        finally:
            await committer.stop()
            database.close()

    return lived


def commit(key: str = "a") -> Request:
    operation = CONNECTOR.operation("tax.commit")
    assert isinstance(operation, WriteOperation)
    return operation.request(SETTINGS, SALE, EffectKey(key * 32))


def read() -> Request:
    return Request(method="GET", url=f"{SETTINGS.base_url}/documents/sale/INV%2F2026%20001")


async def test_a_document_outlives_the_process_and_its_repeat_makes_no_other(life: Life) -> None:
    async with life() as way:
        first = await way.send(commit())
    async with life() as way:
        assert await way.send(commit()) == first
        assert (await way.send(commit("b"))).status == 409
        assert loads((await way.send(read())).body)["id"] == "1"


async def test_it_tells_by_the_key_whether_a_write_was_made(life: Life) -> None:
    operation = CONNECTOR.operation("tax.commit")
    assert isinstance(operation, WriteOperation) and operation.look is not None and operation.found is not None
    key = EffectKey("a" * 32)
    async with life() as way:
        look = operation.look(SETTINGS, key)
        assert operation.found(await way.send(look), key) is None
        made = operation.result(await way.send(commit()))
        assert operation.found(await way.send(look), key) == made


async def test_each_connection_has_its_own_books(life: Life) -> None:
    async with life() as way:
        await way.send(commit())
    async with life("other") as way:
        assert (await way.send(read())).status == 404


async def test_a_refusal_keeps_nothing(life: Life) -> None:
    async with life(files={**FILES, "tax/rates.csv": FILES["tax/rates.csv"].splitlines()[0] + b"\n"}) as way:
        assert (await way.send(commit())).status == 422
    async with life() as way:
        assert (await way.send(commit())).status == 200


async def test_files_with_mistakes_are_for_the_connection(life: Life) -> None:
    async with life(files={**FILES, "tax/rates.csv": b"wrong\n"}) as way:
        with pytest.raises(FixConnection) as refusal:
            await way.send(commit())
    assert refusal.value.facts["place"] == "tax/rates.csv:1"


async def test_what_must_change_nothing_cannot(life: Life) -> None:
    def answer(_settings: Any, _tables: Any, _request: Request, shelf: Shelf, _now: Any) -> Response:
        shelf.put("a", b"b")
        return Response(status=200)

    wrong = Embedded(folder="tax", flaws=lambda _files: (), read=lambda _files: None, answer=answer)
    async with life(embedded=wrong) as way:
        with pytest.raises(Fatal):
            await way.send(read())
