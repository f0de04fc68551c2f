"""A console with data behind it, and visitors of each role."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from tests.ui.stage import PASSWORD, Stage, stage, workspace
from tests.ui.visitors import SignIn, stranger


@pytest.fixture
def written_into(tmp_path: Path) -> None:
    """Give the console a whole workspace of its own."""
    workspace(tmp_path)


@pytest_asyncio.fixture
async def set_up(tmp_path: Path) -> AsyncIterator[Stage]:
    """Give a console with a few stories and one person of each role."""
    async with stage(tmp_path, count=32) as made:
        yield made


@pytest_asyncio.fixture
async def sign_in(set_up: Stage) -> AsyncIterator[SignIn]:
    """Give the way to sign somebody in."""
    async with AsyncExitStack() as stack:

        async def signed_in(email: str) -> httpx2.AsyncClient:
            visitor = await stack.enter_async_context(stranger(set_up))
            answer = await visitor.post("/login", data={"email": email, "password": PASSWORD})
            assert answer.status_code == 303
            return visitor

        yield signed_in
