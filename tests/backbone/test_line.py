"""What is given to a stream, together or one by one, is told of exactly; what is not known is said so."""

from __future__ import annotations

import asyncio

import pytest

from hub.backbone.line import Away, Kept, Line, NoStream, Unwilling
from tests.backbone.hubs import Servers, line_to

pytestmark = pytest.mark.processes


async def stream(line: Line, name: str, *, atomic: bool) -> None:
    """Make a stream of its own."""
    config = {"name": name, "subjects": [f"{name}.>"], "storage": "file", "duplicate_window": 60_000_000_000}
    assert await line.ask(f"STREAM.CREATE.{name}", {**config, "allow_atomic": atomic}) is not None


def messages(name: str, *numbers: int) -> list[tuple[str, bytes, dict[str, str]]]:
    return [(f"{name}.a", b"%d" % number, {"Nats-Msg-Id": f"m{number}"}) for number in numbers]


async def contents(line: Line, name: str) -> list[int]:
    async with line.reading(name, {"deliver_policy": "all"}) as reading:
        left, found = reading.pending, list[int]()
        while left:
            async for message in reading.page(2.0):
                left = message.left
                found.append(int(message.content))
                if not left:
                    break
        return found


@pytest.mark.parametrize("takes", ["batches", "singly"])
async def test_what_is_given_is_numbered_and_a_repeat_is_told_as_one(shared: Servers, takes: str) -> None:
    """Where a batch is not taken, for repeats in it or because the stream takes none, each is given alone."""
    name = f"line-{takes}"
    async with line_to(shared.settings()) as line:
        await stream(line, name, atomic=takes == "batches")
        first = await line.store(messages(name, 1, 2, 3), together=True)
        assert first == [Kept(1, repeated=False), Kept(2, repeated=False), Kept(3, repeated=False)]
        second = await line.store(messages(name, 3, 4, 2, 5), together=True)
        assert second == [
            Kept(3, repeated=True),
            Kept(4, repeated=False),
            Kept(2, repeated=True),
            Kept(5, repeated=False),
        ]
        assert await line.store([]) == []
        assert await contents(line, name) == [1, 2, 3, 4, 5]


async def test_pages_go_on_where_the_last_one_ended(shared: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.backbone.line.PAGE", 7)
    async with line_to(shared.settings()) as line:
        await stream(line, "line-pages", atomic=True)
        await line.store(messages("line-pages", *range(50)), together=True)
        assert await contents(line, "line-pages") == [*range(50)]


async def test_where_no_stream_is_nothing_is_known_to_be_kept(shared: Servers) -> None:
    async with line_to(shared.settings()) as line:
        assert await line.store(messages("nowhere", 1, 2), together=True) == [None, None]
        assert await line.ask("STREAM.INFO.nowhere") is None
        with pytest.raises(NoStream):
            async with line.reading("nowhere", {"deliver_policy": "all"}):
                pass
        with pytest.raises(Unwilling):
            await line.ask("STREAM.CREATE.line-wrong", {"name": "line-wrong", "num_replicas": 3})


async def test_on_a_connection_that_is_over_everything_is_away(shared: Servers) -> None:
    """Whatever was under way comes to its end."""
    async with line_to(shared.settings()) as line:
        await stream(line, "line-over", atomic=True)
        async with line.reading("line-over", {"deliver_policy": "all"}) as reading:

            async def read() -> None:
                async for _ in reading.page(5.0):
                    pass

            waiting = asyncio.create_task(read())
            await asyncio.sleep(0.05)
            await line.close()
            with pytest.raises(Away):
                await waiting
        for call in (line.tell("a"), line.ask("INFO"), line.listen("a", print)):
            with pytest.raises(Away):
                await call
        assert await line.store(messages("line-over", 1, 2), together=True) == [None, None]
        assert line.over.is_set()
