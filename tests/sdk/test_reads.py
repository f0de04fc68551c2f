"""What a read takes for its own answer."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import OutcomeUnknown
from hub.sdk.connector import ReadOperation


def reading(output: dict[str, Any], **more: Any) -> ReadOperation:
    async def read(_session: Any, _input: Any) -> dict[str, Any]:
        return output

    return ReadOperation(name="thing.read", title="Read", input={}, output={}, read=read, **more)


@pytest.mark.parametrize(
    ("asked", "came"),
    [
        ({"id": "1"}, {"id": "1"}),
        ({"id": "1"}, {"id": 1}),
        ({"id": "1"}, {"items": []}),
        ({"code": "a"}, {"id": "1"}),
        ({}, {}),
    ],
)
async def test_what_may_be_meant_is_taken(asked: dict[str, Any], came: dict[str, Any]) -> None:
    nobody: Any = None
    assert await reading(came).ask(nobody, asked) == came


async def test_somebody_elses_is_not() -> None:
    nobody: Any = None
    with pytest.raises(OutcomeUnknown) as unknown:
        await reading({"id": "2"}).ask(nobody, {"id": "1"})
    assert unknown.value.code == "foreign-answer"
    by_name = reading({"name": "b"}, about=lambda asked, came: bool(asked["name"] == came["name"]))
    with pytest.raises(OutcomeUnknown):
        await by_name.ask(nobody, {"name": "a"})
