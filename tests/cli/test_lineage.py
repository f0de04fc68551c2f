"""`concord lineage`: text for people, JSON and OpenLineage for machines, and a drawing."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.errors import NotFound
from hub.workspace.starting import start_workspace, starter_files

RUN = CliRunner()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return start_workspace(tmp_path / "workspace", starter_files()).folder


def lineage(folder: Path, *arguments: str) -> str:
    """Run the command and give what it prints."""
    result = RUN.invoke(app, ["lineage", *arguments, "--workspace", str(folder)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_tree_tells_where_a_field_comes_from_and_goes_to(folder: Path) -> None:
    said = lineage(folder, "shop.receipt.total")
    assert "shop.receipt@1.total  What the invoice comes to." in said
    for words in ("comes from", "money(total, currency)  mappings/stripe/receipt.yaml:", "thank-customers: receipt"):
        assert words in said
    for words in ("goes to", "policy.tone.tone", "`a large invoice`", "is used for", "is the money at risk"):
        assert words in said


def test_a_field_that_nothing_touches_is_told_so(folder: Path) -> None:
    assert "No mapping, flow or policy" in lineage(folder, "stripe.customer@2026-09-30.balance")


def test_json_for_machines(folder: Path) -> None:
    (field,) = json.loads(lineage(folder, "shop.receipt.language", "--json"))["fields"]
    assert (field["record"], field["field"]) == ("shop.receipt@1", "language")
    assert field["from"][0]["tables"] == ["languages"]
    datasets = json.loads(lineage(folder, "shop.receipt", "--openlineage"))["datasets"]
    assert "shop.receipt@1" in {dataset["name"] for dataset in datasets}


def test_a_drawing_holds_every_field_once_and_nothing_else_can_be_read_into_it(folder: Path, tmp_path: Path) -> None:
    mapping = folder / "mappings/stripe/receipt.yaml"
    text = mapping.read_text().replace("default: dear customer", "default: '=`\"<script>\"`'")
    mapping.write_text(text)
    drawn = tmp_path / "receipt.svg"
    assert str(drawn.name) in lineage(folder, "shop.receipt", "--svg", str(drawn)).replace("\n", "")
    tree = ET.fromstring(drawn.read_bytes())  # noqa: S314 - our own drawing
    names = [text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"issued_on", "total", "customer_address.country"} <= set(names)
    assert names.count("issued_on") == 1
    assert "<script" not in drawn.read_text()
    assert "prefers-color-scheme: dark" in drawn.read_text()


def test_one_flow_alone_and_names_that_are_not_there(folder: Path) -> None:
    assert "thank-customers" in lineage(folder, "shop.receipt.total", "--flow", "thank-customers")
    with pytest.raises(NotFound, match="Did you mean `thank-customers`"):
        lineage(folder, "shop.receipt.total", "--flow", "thank-customer")
    with pytest.raises(NotFound, match=r"Did you mean `shop\.receipt\.total`"):
        lineage(folder, "shop.receipt.totle")


def test_a_workspace_with_mistakes_shows_them_first(folder: Path) -> None:
    (folder / "mappings/stripe/receipt.yaml").write_text("mapping: stripe/receipt\n")
    result = RUN.invoke(app, ["lineage", "shop.receipt.total", "--workspace", str(folder)])
    assert result.exit_code == 1
    assert "mappings/stripe/receipt.yaml:1:1: error" in result.output
