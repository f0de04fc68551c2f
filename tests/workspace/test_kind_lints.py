"""Test accounts and accounts with real money do not stand in one environment, as far as files show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.connections.registry import load_connectors
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle

CATALOGUE = catalogue_of(list(load_connectors().values()))
CONNECTIONS = {
    f"connections/{name}.yaml": f"connection: {name}\nconnector: {connector}\nsecret: vault:{name}\n".encode()
    for name, connector in (("netsuite", "netsuite"), ("tax", "avatax"))
}


def told(head: str, *, netsuite: str = "1234567_SB1", tax: str = "https://sandbox-rest.avatax.com") -> list[str]:
    text = (
        f"environment: here\n{head}\nconnections:\n  netsuite:\n    account: '{netsuite}'\n"
        "    base_url: https://x.example.com\n    client_id: c\n    certificate_id: d\n"
        f"  tax:\n    base_url: {tax}\n    company_code: DEFAULT\n"
    )
    found, lints = compile_bundle({**CONNECTIONS, "environments/here.yaml": text.encode()}, CATALOGUE)
    assert (found is None) == bool(lints)
    return [f"{lint.line} {lint.code} {lint.message}" for lint in lints]


@pytest.mark.parametrize(
    ("head", "accounts", "lines"),
    [
        ("", {}, []),
        ("production: false", {}, []),
        ("production: true", {}, ["5", "10"]),
        ("production: true", {"netsuite": "1234567", "tax": "https://rest.avatax.com"}, []),
        ("production: false", {"netsuite": "1234567"}, ["5"]),
        ("production: false", {"netsuite": "TSTDRV99", "tax": "https://rest.avatax.com"}, ["10"]),
        ("", {"netsuite": "1234567"}, ["10"]),
        ("production: true", {"netsuite": "1234567_RP", "tax": "https://tax.example.com"}, ["5"]),
    ],
)
def test_an_account_of_the_other_kind_is_told_where_it_stands(
    head: str, accounts: dict[str, str], lines: list[str]
) -> None:
    found = told(head, **accounts)
    assert [line.split()[:2] for line in found] == [[line, "mixed-kinds"] for line in lines]


def test_the_message_says_what_is_meant() -> None:
    (one,) = told("production: false", netsuite="1234567")
    assert "`account` of `netsuite` is that of an account with real money, and this environment is no production" in one


def test_the_example_that_ships_says_its_kind() -> None:
    text = (Path(__file__).parents[2] / "environments/example.yaml").read_text()
    assert "\nproduction: false" in text
