"""The key `limits` of connections: what it may say, what makes no sense, and what it means when nothing is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.model.limits import QuotaPer
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.compiled_files import ConnectionLimits
from hub.workspace.source.lint import Lint

Break = Callable[..., list[Lint]]
BOOKS = "connections/books.yaml"
TOLD = "limits: { concurrency: 5 }"


def compiled(files: dict[str, bytes], catalogue: Catalogue, limits: str) -> ConnectionLimits:
    text = files[BOOKS].decode()
    assert TOLD in text
    found, lints = compile_bundle({**files, BOOKS: text.replace(TOLD, f"limits: {limits}").encode()}, catalogue)
    assert found is not None, [str(lint) for lint in lints]
    return found.connections["books"].limits


def test_everything_that_may_be_said(files: dict[str, bytes], catalogue: Catalogue) -> None:
    said = (
        "{ concurrency: 4, rate: 600, per: minute, burst: 20, quota: 10000, quota_per: week, "
        "quota_zone: Europe/Vienna, budget: books-production }"
    )
    assert compiled(files, catalogue, said) == ConnectionLimits(
        concurrency=4,
        rate=600.0,
        per=60,
        burst=20,
        quota=10_000,
        quota_per=QuotaPer.WEEK,
        quota_zone="Europe/Vienna",
        budget="books-production",
    )


def test_what_is_left_out(files: dict[str, bytes], catalogue: Catalogue) -> None:
    assert compiled(files, catalogue, "{ rate: 2.5, quota: 10 }") == ConnectionLimits(
        rate=2.5, per=1, quota=10, quota_per=QuotaPer.DAY, quota_zone="UTC"
    )


@pytest.mark.parametrize(
    ("limits", "code", "words"),
    [
        ("{ rate: 0 }", "bad-limit", "pause"),
        ("{ per: minute }", "bad-limit", "rate"),
        ("{ rate: 5, per: hour }", "bad-value", "second"),
        ("{ burst: 0 }", "bad-value", "1"),
        ("{ quota: 5, quota_zone: Europe/Wien }", "unknown-zone", "Europe/Vienna"),
        ("{ quota: 5, quota_per: year }", "bad-value", "month"),
        ("{ budget: two words }", "bad-value", "netsuite-production"),
        ("{ cocurrency: 5 }", "unknown-key", "concurrency"),
    ],
)
def test_what_makes_no_sense(files: dict[str, bytes], catalogue: Catalogue, limits: str, code: str, words: str) -> None:
    text = files[BOOKS].decode().replace(TOLD, f"limits: {limits}")
    _, lints = compile_bundle({**files, BOOKS: text.encode()}, catalogue)
    assert [lint.code for lint in lints] == [code]
    assert words in str(lints[0])


def test_an_environment_says_the_same(files: dict[str, bytes], catalogue: Catalogue) -> None:
    text = files["environments/test.yaml"].decode()
    line = next(line for line in text.splitlines() if line.strip().startswith("books:"))
    assert line.endswith("}")
    changed = text.replace(line, f"{line[:-1].rstrip()}, limits: {{ per: minute }} }}")
    _, lints = compile_bundle({**files, "environments/test.yaml": changed.encode()}, catalogue)
    assert [lint.code for lint in lints] == ["bad-limit"]
