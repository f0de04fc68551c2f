"""What the guide for writers tells to type is there, and does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import hub
from hub.cli.main import app
from hub.workspace.starting import start_workspace, starter_files

ROOT = Path(hub.__file__).resolve().parent.parent
GUIDE = (ROOT / "docs/writing.md").read_text(encoding="utf-8")
README = starter_files()["README.md"].decode()
RUN = CliRunner()
COMMANDS = typer.main.get_command(app)


def options(words: list[str]) -> set[str]:
    """Give the options of a command, which may stand in a group."""
    command: typer.core.TyperGroup | object = COMMANDS
    for word in words:
        commands = getattr(command, "commands", None)
        if commands is None:
            break
        assert word in commands, f"concord {' '.join(words)}"
        command = commands[word]
    return {name for each in getattr(command, "params", ()) for name in each.opts}


@pytest.mark.parametrize("text", [GUIDE, README], ids=["guide", "readme"])
def test_every_command_that_is_told_is_there_with_its_options(text: str) -> None:
    assert misled(text) > 8


def test_no_page_tells_of_a_command_or_an_option_that_is_not_there() -> None:
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("connectors/*/README.md")]
    assert sum(misled(page.read_text(encoding="utf-8")) for page in pages) > 150


def misled(text: str) -> int:
    """Give how many commands a text tells of, which all are there with their options."""
    told = re.findall(r"(?:^|[`$|(] ?|^ +)concord ((?:[a-z][a-z-]* ?)+)([^`\n]*)", text, flags=re.MULTILINE)
    for words, rest in told:
        known = options(words.split()) | {"--help"}
        assert [name for name in re.findall(r"(?<!\S)--[a-z-]+", rest) if name not in known] == [], words
    return len(told)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    started = start_workspace(tmp_path / "thanks", starter_files()).folder
    monkeypatch.chdir(started)
    monkeypatch.delenv("CONCORD_WORKSPACE", raising=False)
    return started


def said(command: str) -> str:
    """Give what the guide shows below a command."""
    match = re.search(rf"^\$ {re.escape(command)}\n(?P<said>[^$`]+)", GUIDE, flags=re.MULTILINE)
    assert match is not None, command
    return match["said"].strip()


def test_checking_says_what_the_guide_shows(folder: Path) -> None:
    shown = said("concord check")
    assert RUN.invoke(app, ["check"]).output.strip() == shown
    mapping = folder / "mappings/stripe/receipt.yaml"
    mapping.write_text(mapping.read_text().replace("money(total", "money(totl"))
    (line,) = RUN.invoke(app, ["check"]).output.strip().splitlines()[:1]
    assert line in GUIDE


def test_mapping_by_hand_gives_what_the_guide_shows(folder: Path) -> None:
    match = re.search(
        r"^\$ echo '(?P<record>.*)' \| concord map stripe/receipt\n(?P<made>.*)$", GUIDE, flags=re.MULTILINE
    )
    assert match is not None
    made = RUN.invoke(app, ["map", "stripe/receipt"], input=match["record"])
    assert made.output.strip() == match["made"]


def test_lineage_tells_what_the_guide_shows(folder: Path) -> None:
    told = RUN.invoke(app, ["lineage", "shop.receipt.total"]).output
    match = re.search(
        r"^\$ concord lineage shop.receipt.total\n(?P<said>.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL
    )
    assert match is not None
    assert [line for line in match["said"].splitlines() if line != "…" and line not in told] == []


def test_the_example_of_the_guide_fails_until_the_table_has_the_country(folder: Path) -> None:
    match = re.search(r"```yaml\n(- example: a customer in France.*?)```", GUIDE, flags=re.DOTALL)
    assert match is not None
    with (folder / "mappings/stripe/receipt_examples.yaml").open("a") as examples:
        examples.write("\n" + match[1])
    failed = RUN.invoke(app, ["test"])
    assert (failed.exit_code, "language" in failed.output) == (1, True)
    with (folder / "mappings/tables/languages.csv").open("a") as table:
        table.write("FR,fr\n")
    assert RUN.invoke(app, ["test"]).exit_code == 0
