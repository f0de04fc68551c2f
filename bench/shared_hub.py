"""A process of the hub that workers are measured with: the real `serve` and `worker`, with the target's connector.

`python -m bench.shared_hub ROLES IN_HAND FOLDER TARGET`; the database, NATS and the key come from the environment, as
they do for `concord`.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from bench.things import FILES, connector
from hub.cli.serving import run_hub
from hub.proof.lifeline import hold
from hub.runtime.composition import Composition
from hub.runtime.roles import Role, roles_of
from hub.runtime.settings import HubSettings

TOKEN = "concord_send_for_measuring_only_and_nothing_else"
ENVIRONMENT = "bench"
_PLACE = """
environment: bench
private_hosts: ["127.0.0.1"]
connections:
  target: {{ base_url: "{target}" }}
senders:
  things:
    tokens: {{ maker: sha256:{digest} }}
    sources: ["https://things.example.com/*"]
    types: [thing.made]
"""


def write_workspace(folder: Path, target: str) -> None:
    """Write the workspace: the five-step flow, begun by events that are sent."""
    flow = FILES["flows/measured.yaml"].replace("target.thing.made", "sent.thing.made")
    # A sent event's own content is its record, and the flow speaks of it as `data`, as it does of a vendor's.
    flow = flow.replace("data.", "record.").replace("of: data", "of: record")
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    files = {
        **FILES,
        "flows/measured.yaml": flow,
        "connections/target.yaml": "connection: target\nconnector: target\nowner: team:bench\n",
        f"environments/{ENVIRONMENT}.yaml": _PLACE.format(target=target, digest=digest),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main() -> int:
    """Serve; the first line on the output says where."""
    hold()
    roles, in_hand, folder = roles_of(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    workspace = folder
    if Role.API in roles:
        workspace = folder / "workspace"
        write_workspace(workspace, sys.argv[4])
    settings = HubSettings(
        data=folder / "data",
        workspace=workspace,
        environment=ENVIRONMENT,
        database=os.environ["CONCORD_DATABASE"],
        environ=dict(os.environ),
        port=0,
        roles=roles,
        in_hand=in_hand,
        key_file=Path(os.environ["CONCORD_KEY_FILE"]),
    )
    composition = Composition(connectors=lambda: {connector.name: connector})
    return run_hub(settings, log_level="warning", json_output=True, composition=composition)


if __name__ == "__main__":
    sys.exit(main())
