"""What the house rules have read is let go when they are through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.house import sources


@pytest.fixture(scope="package", autouse=True)
def _let_go() -> Iterator[None]:
    """Forget the trees of all files: millions of objects, which each collection of the later tests would go through."""
    yield
    sources.forget()
