"""The consumer that the document shows is a whole program, and is given each fact once."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import hub
from hub.backbone import settings
from hub.backbone.names import stream_of
from tests.backbone.hubs import Servers, Teller, line_to, until

DOCUMENT = (Path(hub.__file__).resolve().parent.parent / "docs/backbone.md").read_text(encoding="utf-8")


def test_every_setting_is_documented() -> None:
    names = [value for name, value in vars(settings).items() if name.isupper() and str(value).startswith("CONCORD_")]
    assert len(names) == 9
    assert [name for name in names if f"`{name}`" not in DOCUMENT] == []


@pytest.mark.processes
async def test_the_consumer_of_the_document_takes_each_fact_once(
    shared: Servers, teller: Teller, tmp_path: Path
) -> None:
    """Through a stream that is deleted, and through its own end."""
    found = re.search(r"```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    assert found is not None
    program = found[1].replace("concord-production", stream_of(teller.environment))
    program = program.replace(
        "concord.production.feed.*.stripe.invoice.>", f"concord.{teller.environment}.feed.*.tried.>"
    )
    (tmp_path / "ledger.py").write_text(program)
    teller.backbone(shared.settings())
    await teller.tell(*range(10))
    await teller.published()

    def taken() -> list[str]:
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
            return sorted(str(row[0]) for row in ledger.execute("SELECT id FROM invoices"))

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "ledger.py", shared.nodes[0].url], cwd=tmp_path)

    def wanted(count: int) -> list[str]:
        return sorted(f"s{number}" for number in range(count))

    consumer = start()
    try:
        await until(lambda: (tmp_path / "ledger.db").exists() and _has_table(tmp_path) and taken() == wanted(10))
        async with line_to(shared.settings()) as line:
            await line.ask(f"STREAM.DELETE.{stream_of(teller.environment)}")
        await teller.tell(*range(10, 15))
        await until(lambda: len(taken()) >= 15)
        consumer.kill()
        consumer.wait()
        await teller.tell(*range(15, 20))
        consumer = start()
        await until(lambda: len(taken()) >= 20)
        assert taken() == wanted(20)
    finally:
        consumer.kill()
        consumer.wait()


def _has_table(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / "ledger.db")) as ledger:
        return bool(ledger.execute("SELECT 1 FROM sqlite_master WHERE name = 'invoices'").fetchall())
