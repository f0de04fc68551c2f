"""Two flows whose writes would be taken for one are told so, before one of them is silently never made."""

from __future__ import annotations

import pytest

from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle

FIRST = "flows/post.yaml"
AGAIN = "flows/again.yaml"


def again(files: dict[str, bytes], *changes: tuple[str, str]) -> dict[str, bytes]:
    """Give the workspace with a second flow that is like the first but for these changes."""
    text = files[FIRST].decode().replace("flow: post", "flow: repost")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return {**files, AGAIN: text.encode()}


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [("on: { event: billing.invoice.finalized }", "on: { event: billing.invoice.paid }")],
        # The policy gives no other connection than this one.
        [("connection: =route.connection", "connection: books")],
        [("join(':', ['billing', data.object.id])", "join(':',['billing',data.object.id])")],
    ],
)
def test_one_write_in_two_flows(files: dict[str, bytes], catalogue: Catalogue, changes: list[tuple[str, str]]) -> None:
    _, lints = compile_bundle(again(files, *changes), catalogue)
    (lint,) = [lint for lint in lints if lint.code == "same-effect"]
    assert (lint.path, lint.line) == (AGAIN, 20)
    assert "the step `sent` of `post` (flows/post.yaml:20) are one write" in lint.message


@pytest.mark.parametrize(
    "changes",
    [
        [("- id: sent", "- id: sent_again"), ("=sent.id", "=sent_again.id")],
        [("'billing', data", "'billing', 'again', data")],
        [("connection: =route.connection", "connection: other_books")],
    ],
)
def test_different_writes(files: dict[str, bytes], catalogue: Catalogue, changes: list[tuple[str, str]]) -> None:
    files = {**files, "connections/other_books.yaml": b"connection: other_books\nconnector: erp\n"}
    _, lints = compile_bundle(again(files, *changes), catalogue)
    assert [str(lint) for lint in lints] == []
