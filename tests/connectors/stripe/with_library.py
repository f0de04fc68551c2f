"""Runs a program that uses Stripe's own library in a process of its own, so that a test may choose the release."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from hub.sandbox.server import Running


async def run(program: str, sandbox: Running, paths: list[str]) -> dict[str, Any]:
    """Run a program of this folder with the library found first in `paths`; gives what it has seen."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name(program)),
        sandbox.url,
        str(sandbox.announcement["api_key"]),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, errors.decode()
    seen: dict[str, Any] = json.loads(output)
    return seen
