"""The browser for tests: find a Chromium, or install one where that is possible, or say why there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: Names under which systems install it.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Playwright downloads some 150 MB; where that is blocked it may hang instead of failing.
DOWNLOAD_SECONDS = 240

WITHOUT = (
    "there is no Chromium: install one with the system's packages (Debian: apt-get install chromium) "
    "or name it in CONCORD_CHROMIUM"
)


def find_chromium() -> Path | None:
    """Give the browser that `CONCORD_CHROMIUM` names, the system's, or the one playwright installed."""
    if named := os.environ.get("CONCORD_CHROMIUM"):
        return Path(named)
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - slow to import, and rarely needed

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.exists() else None


def install_chromium() -> str:
    """Let playwright install its Chromium; give why it could not, or nothing."""
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {DOWNLOAD_SECONDS} s"
    last = (done.stderr or done.stdout).strip().splitlines()[-1:]
    return "" if done.returncode == 0 else " ".join(last) or f"exit code {done.returncode}"


def main() -> int:
    """Make sure of a browser, and say in one line what the browser tests will use."""
    found = find_chromium()
    if found is None:
        print("No Chromium is installed; trying `playwright install chromium`.")
        reason = install_chromium()
        found = find_chromium()
        if found is None:
            print(f"Browser tests will be skipped, because {WITHOUT}. Playwright could not install one: {reason}")
            return 1 if os.environ.get("CONCORD_REQUIRE_BROWSER") else 0
    print(f"Browser tests use {found}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
