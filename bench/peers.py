"""Peers to measure beside: each is installed from its registry into an environment of its own, under `.bench/`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

#: Where the peers are kept; nothing of them comes into the project's own environment.
FOLDER = Path(__file__).resolve().parents[1] / ".bench"
DBOS = ("dbos==3.4.0", "aiohttp>=3.14")
NODE_RED = "node-red@4.1.8"


class Missing(Exception):
    """A peer cannot be had here; the sentence says why."""


def dbos_flows(base_url: str, count: int, database: str | None = None) -> float:
    """Run `count` of the same flows in DBOS, 100 at a time; gives flows a second.

    It is on the PostgreSQL of a `database`'s URL, or on SQLite (WAL, FULL).
    """
    command = [str(_dbos_python()), str(Path(__file__).with_name("peer_dbos.py")), base_url, str(count)]
    command += [] if database is None else [database]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=_plain())
    if done.returncode:
        raise Missing(f"DBOS failed: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
    found: float = json.loads(done.stdout.strip().splitlines()[-1])["per_second"]
    return found


def node_red() -> tuple[Path, Path]:
    """Give Node and the script that starts Node-RED; installs it where it is not."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("there is no Node.js with npm on this machine")
    folder = FOLDER / "node-red"
    script = folder / "node_modules" / "node-red" / "red.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        _install([npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), NODE_RED], "Node-RED")
    return Path(node), script


def _dbos_python() -> Path:
    folder = FOLDER / "dbos"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True)
        _install([str(python), "-m", "pip", "install", "--quiet", *DBOS], "DBOS")
        (folder / "ready").touch()
    return python


def _install(command: list[str], name: str) -> None:
    sys.stderr.write(f"Installing {name} under {FOLDER.name}/; this is done once.\n")
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=_plain())
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{name} could not be installed: {reason[-1] if reason else done.returncode}")


def _plain() -> dict[str, str]:
    """Give the environment without what belongs to the project's own Python."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
