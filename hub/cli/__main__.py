"""Starts the command line; breaking off while it is still being read is told as quietly as later on."""

from __future__ import annotations

import sys


def run() -> None:
    """Run the command `concord`."""
    try:
        from hub.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    main.run()


if __name__ == "__main__":
    run()
