"""A certification in several processes, one of which dies in the middle: what is told, and how to look into it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.cli.output import EXIT_DIED


@pytest.mark.parametrize(
    ("dies", "told"),
    [
        ("while an answer is read", "greeting.read under error-502 is gone: it was ended by SIGKILL"),
        (
            "while it is loaded",
            "before the first trial, while the connector was loaded is gone: it ended with the exit",
        ),
    ],
)
def test_a_process_that_dies_in_a_trial_is_told_of_in_one_line(
    dies: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the operation and the fault, and how to try that alone."""
    package = tmp_path / "fatal-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: fatal\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[concord.connectors]\nfatal = fatal_connector\n")
    sandbox = tmp_path / "fatal_connector/sandbox"
    sandbox.mkdir(parents=True)
    (sandbox / "app.py").write_text("from connectors.helloworld.sandbox.app import sandbox\n")
    (sandbox.parent / "__init__.py").write_text(
        "import multiprocessing, os, signal\n"
        "from dataclasses import replace\n"
        "from connectors.helloworld.connector import CONNECTOR\n"
        "from hub.sdk.hooks import hookimpl\n"
        f"if {dies == 'while it is loaded'} and multiprocessing.parent_process() is not None:\n"
        "    os._exit(77)\n"
        "def classify(response):\n"
        "    if response.status == 502:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return CONNECTOR.classify(response)\n"
        "@hookimpl\n"
        "def concord_connector():\n"
        "    return replace(CONNECTOR, name='fatal', classify=classify)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    chosen = ["--fault", "error-502", "--operation", "greeting.read", "--jobs", "2"]
    died = CliRunner().invoke(app, ["connectors", "certify", "fatal", *chosen])
    assert died.exit_code == EXIT_DIED, died.output
    assert told in died.stderr
    assert "certify fatal --operation greeting.read" in died.stderr
    assert "Traceback" not in died.output
