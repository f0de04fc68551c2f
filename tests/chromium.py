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
    """Give a browser that starts: the one `CONCORD_CHROMIUM` names, the system's, or the one playwright installed."""
    if named := os.environ.get("CONCORD_CHROMIUM"):
        return Path(named)
    for name in NAMES:
        if (found := shutil.which(name)) and _starts(Path(found)):
            return Path(found)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - slow to import, and rarely needed

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.exists() and _starts(own) else None


def install_chromium() -> str:
    """Let playwright install its Chromium; give the reason to tell if there still is none afterwards."""
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"the download did not end within {DOWNLOAD_SECONDS} s"
    if done.returncode == 0:
        return "what it installed does not start here, probably for want of system libraries"
    said = (done.stdout + done.stderr).splitlines()
    errors = [line for line in said if line.startswith("Error") and not line.endswith("caused by")]
    return errors[0] if errors else f"exit code {done.returncode}"


def _starts(path: Path) -> bool:
    """Tell whether the program finds all its libraries."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def main() -> int:
    """Make sure of a browser, and say in one line what the browser tests will use."""
    found = find_chromium()
    if found is None:
        print("No Chromium is installed; trying `playwright install chromium`.")
        reason = install_chromium()
        found = find_chromium()
        if found is None:
            print(f"Browser tests will be skipped, because {WITHOUT}. Playwright could not help: {reason}")
            return 1 if os.environ.get("CONCORD_REQUIRE_BROWSER") else 0
    print(f"Browser tests use {found}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
