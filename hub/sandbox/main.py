"""Starts a connector's sandbox by name, as a process of its own."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

import uvloop

from hub.sandbox.server import Options, Sandbox, serve_forever

#: The entry-point group in which packages name their connectors.
CONNECTORS = "concord.connectors"


class UnknownSandbox(Exception):
    """There is no connector of this name, or it has no sandbox."""


def find(name: str) -> Sandbox:
    """Load the sandbox of a connector: the object `sandbox` in `<connector's package>.sandbox.app`."""
    packages = _packages(name, tuple(sys.path))
    # In a source tree that is not installed there are no entry points; the built-in connectors are still there.
    for package in packages or [f"connectors.{name}"]:
        if _has_sandbox(package):
            sandbox = importlib.import_module(f"{package}.sandbox.app").sandbox
            if isinstance(sandbox, Sandbox):
                return sandbox
    raise UnknownSandbox(f"No connector named {name!r} offers a sandbox.{_offered()}")


def _has_sandbox(package: str) -> bool:
    try:
        return importlib.util.find_spec(f"{package}.sandbox.app") is not None
    except ModuleNotFoundError as error:
        if not (package + ".sandbox.app").startswith(error.name or "?"):
            raise  # The package is there, but something it needs is not.
        return False


def _offered() -> str:
    """Name the connectors that have one, in a sentence; a package that cannot be loaded is none of them."""
    names = set()
    for entry in importlib.metadata.entry_points(group=CONNECTORS):
        with suppress(ImportError):
            if _has_sandbox(entry.value.partition(":")[0]):
                names.add(entry.name)
    return f" There are: {', '.join(sorted(names))}." if names else ""


@cache
def _packages(name: str, _path: tuple[str, ...]) -> list[str]:
    """Name the packages that offer a connector; a proof asks thousands of times, and each look reads every package."""
    return [entry.value.partition(":")[0] for entry in importlib.metadata.entry_points(group=CONNECTORS, name=name)]


def serve(name: str, options: Options) -> None:
    """Serve the sandbox of a connector until the process is told to stop."""
    sandbox = find(name)
    uvloop.run(serve_forever(sandbox, options))


def run(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and serve; gives the exit status."""
    parser = argparse.ArgumentParser(prog="sandbox", description="Serve a vendor's sandbox on loopback.")
    parser.add_argument("name", help="the connector whose sandbox is served")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="the vendor's port; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="the control API's port; 0 takes a free one")
    parser.add_argument("--tls", action="store_true", help="serve https with a certificate of a test authority")
    parser.add_argument("--seed", type=int, default=1, help="what everything random is drawn from")
    given = parser.parse_args(arguments)
    options = Options(host=given.host, port=given.port, control_port=given.control_port, tls=given.tls, seed=given.seed)
    try:
        serve(given.name, options)
    except UnknownSandbox as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run())
