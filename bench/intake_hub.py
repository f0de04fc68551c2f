"""The hub that the intake is measured with: the real `serve`, with one sender of usage; no flow wants its events."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from hub.runtime.composition import Composition, Hub
from hub.runtime.serve import serve
from hub.runtime.settings import HubSettings

TOKEN = "concord_send_for_measuring_only_and_nothing_else"
ENVIRONMENT = "bench"
SENDERS = """
environment: bench
connections: {{}}
senders:
  usage:
    tokens: {{ meter: sha256:{digest} }}
    sources: ["https://meter.example.com/*"]
    types: [usage.recorded, order.placed]
"""
#: Who is interested in something else.
FLOW = """
flow: orders
title: Wait for an order
owner: team:bench
on: { event: sent.order.placed }
key: record.order
business_key: record.order
steps:
  - id: while
    wait: { for: PT1H }
"""
#: Names the database where the hub has one; beside the data directory, where it is a file.
DATABASE = "CONCORD_BENCH_DATABASE"


def write_workspace(folder: Path) -> None:
    """Write the workspace of the measurement."""
    files = {
        "flows/orders.yaml": FLOW,
        f"environments/{ENVIRONMENT}.yaml": SENDERS.format(digest=hashlib.sha256(TOKEN.encode()).hexdigest()),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main() -> int:
    """Serve; the first line on the output is the address."""
    folder = Path(sys.argv[1])
    write_workspace(folder / "workspace")

    def ready(_hub: Hub, url: str, _setup: bool) -> None:  # noqa: FBT001 - the shape that `serve` asks for
        sys.stdout.write(url + "\n")
        sys.stdout.flush()

    further: dict[str, Any] = {}
    if DATABASE in os.environ:
        further["database"] = os.environ[DATABASE]
    settings = HubSettings(
        data=folder / "data",
        workspace=folder / "workspace",
        environment=ENVIRONMENT,
        port=0,
        key_file=folder / "key",
        **further,
    )
    return serve(settings, composition=Composition(connectors=dict), ready=ready, log_level="error")


if __name__ == "__main__":
    sys.exit(main())
