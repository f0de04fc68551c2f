"""Those who did something are called by names that people know."""

from __future__ import annotations

import pytest

from hub.queries.actors import called


@pytest.mark.parametrize(
    ("actor", "name"),
    [
        ("person:prs_1", "Ada"),
        ("prs_1", "Ada"),
        ("person:prs_2", "person:prs_2"),
        ("worker_01m7ykd465nnqm44y1r1", "the hub"),
        ("local", "local command line"),
        ("connection:stripe", "connection:stripe"),
    ],
)
def test_a_name_for_everybody(actor: str, name: str) -> None:
    assert called(actor, {"prs_1": "Ada"}) == name
