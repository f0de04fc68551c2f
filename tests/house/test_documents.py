"""The documents are complete: what the code has, they explain, and what they name, exists."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path, PurePosixPath

import pytest

from hub.audit.kinds import AuditKind
from hub.audit.verification import Tampering
from tests.house.sources import ROOT, modules, shown, tracked_files, tree

DOCUMENTS = [path for path in tracked_files() if path.suffix == ".md"]
#: A file or folder of the tree, as documents name it.
FILE = re.compile(
    r"`((?:bench|connections|connectors|docs|environments|flows|hub|mappings|policies|schemas|tax|tests|ui)/[\w./@-]*)`"
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)(?P<target>[^)#\s]+)")


def text(name: str) -> str:
    """Read a document."""
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_kind_of_audit_entry_is_documented_in_the_same_words() -> None:
    table = dict(re.findall(r"^\| `([\w.]+\.[\w.]+)` \| (.*) \|$", text("docs/audit.md"), flags=re.MULTILINE))
    assert table == {kind.value: kind.explanation for kind in AuditKind}


def test_every_kind_of_audit_entry_is_written_by_some_code() -> None:
    """Named where it is written: by the hub itself, and not only by what judges it."""
    named = {
        node.attr
        for path in modules("hub")
        if "proof" not in path.parts and path.name != "kinds.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "AuditKind"
    }
    assert [kind.value for kind in AuditKind if kind.name not in named] == []


def test_every_finding_of_the_audit_check_is_documented() -> None:
    assert [kind for kind in Tampering if f"| `{kind}` |" not in text("docs/audit.md")] == []


def test_every_command_of_make_is_in_the_readme() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", text("Makefile"), flags=re.MULTILINE)
    assert set(targets) >= {"help", "demo", "test", "check", "bench", "mutants"}
    assert [target for target in targets if f"`make {target}`" not in text("README.md")] == []


def test_every_lint_rule_that_is_off_has_a_reason() -> None:
    lines = text("pyproject.toml").splitlines()
    rules = [line for line in lines if re.match(r'\s+"[A-Z]{1,4}\d{3,4}",', line)]
    assert len(rules) > 10
    assert [rule.strip() for rule in rules if not re.search(r"# \w.{6,}", rule)] == []


def test_every_tool_and_library_that_is_asked_for_is_pinned() -> None:
    project = tomllib.loads(text("pyproject.toml"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {_plain(re.split(r"[\[<>=;~! ]", one, maxsplit=1)[0]) for one in wanted}
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", text("constraints.txt"), flags=re.MULTILINE))
    assert names - {_plain(pin) for pin in pins} == set()


def test_the_changelog_begins_with_the_version_that_is_built() -> None:
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    assert re.search(r"^## (\S+)", text("CHANGELOG.md"), flags=re.MULTILINE).group(1) == version  # type: ignore[union-attr]


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_a_document_links_only_to_what_exists(path: Path) -> None:
    targets = [match["target"] for match in LINK.finditer(path.read_text(encoding="utf-8"))]
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_a_link_into_a_document_leads_to_a_heading(path: Path) -> None:
    found = re.findall(r"\]\(([^)#\s]*\.md)?#([^)\s]+)\)", path.read_text(encoding="utf-8"))
    places = [(path.parent / file if file else path, heading) for file, heading in found]
    assert [(shown(to), heading) for to, heading in places if heading not in _headings(to)] == []


def _headings(path: Path) -> set[str]:
    """Give the headings of a document as links name them: small letters and hyphens."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_a_document_names_only_files_that_exist() -> None:
    """In the tree, or in the workspace that `concord init` begins; the changelog may name what is gone."""
    known = {shown(path) for path in tracked_files()}
    known |= {
        name.removeprefix("hub/workspace/starter/") for name in known if name.startswith("hub/workspace/starter/")
    }
    known |= {parent.as_posix() for name in known for parent in PurePosixPath(name).parents}
    told = [
        (shown(path), name.rstrip("/"))
        for path in DOCUMENTS
        if path.name != "CHANGELOG.md"
        for name in FILE.findall(path.read_text(encoding="utf-8"))
        # What is to be named, as in `schemas/NAME@VERSION.json`, stands in capitals.
        if not re.search(r"\b[A-Z]{4,}(?=\b|_)", name) or "README" in name
    ]
    assert len(told) > 50
    assert [(where, name) for where, name in told if name not in known] == []


def test_every_figure_of_the_measurements_names_the_command_that_prints_it() -> None:
    parts = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text("docs/measurements.md"), flags=re.MULTILINE | re.DOTALL)
    assert {title for title, _ in parts} >= {"Flows", "The door", "Size", "Trouble"}
    command = r"`(?:python -m bench|concord|make) [^`]+`"
    assert [title for title, part in parts if not re.search(command, part)] == []
    for _, part in parts:
        if "| command |" in part:
            rows = re.findall(r"^\| (?!what |---)(.*) \|$", part, flags=re.MULTILINE)
            assert [row for row in rows if not re.fullmatch(command, row.rpartition(" | ")[2])] == []
    named = set(re.findall(r"python -m bench --only (\w+)", text("docs/measurements.md")))
    assert named
    assert named <= set(re.findall(r'^    "(\w+)": (?:lambda|_)', text("bench/__main__.py"), flags=re.MULTILINE))
