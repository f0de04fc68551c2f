"""How quickly a command begins: what only some commands need is not loaded for all."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("aiohttp", "alembic", "apscheduler", "cryptography", "fastapi", "pydantic", "sqlalchemy", "uvicorn")


def test_a_command_loads_no_database_and_no_server_before_it_needs_them() -> None:
    told = f"import sys, hub.cli.main; print(*(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
