"""Connectors over the API: the same as on the command line, for whoever may look."""

from __future__ import annotations

import json
from types import SimpleNamespace

import httpx2
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from hub.access.permissions import GRANTS, Permission, Principal, Role
from hub.api import connectors, problems, security
from hub.cli.main import app as command_line
from hub.connections.registry import BrokenPlugin, Registry, load_connectors

TOKEN = "token"
BROKEN = BrokenPlugin(name="ledger", package="concord-ledger", reason="ValueError: no kind")


@pytest.fixture
def app() -> FastAPI:
    made = FastAPI()
    made.state.token = TOKEN
    made.state.connecting = SimpleNamespace(connectors=Registry(load_connectors().values(), [BROKEN]))
    made.include_router(connectors.router)
    problems.install(made)
    return made


async def asked(app: FastAPI, path: str, token: str = TOKEN) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub.test") as client:
        return await client.get(path, headers=headers)


async def test_all_are_listed_as_on_the_command_line(app: FastAPI) -> None:
    answer = await asked(app, "/api/connectors")
    assert answer.status_code == 200
    said = CliRunner().invoke(command_line, ["connectors", "list", "--json"]).stdout
    assert answer.json()["connectors"] == json.loads(said)["connectors"]
    assert answer.json()["broken"] == [{"name": "ledger", "package": "concord-ledger", "reason": "ValueError: no kind"}]


async def test_one_is_shown_with_the_kind_of_each_write(app: FastAPI) -> None:
    found = (await asked(app, "/api/connectors/netsuite")).json()
    kinds = {operation["name"]: operation["idempotency"] for operation in found["operations"]}
    assert kinds["invoice.upsert"] == "upsert"
    assert kinds["invoice.reverse"] == "probe"
    assert kinds["invoice.read"] is None
    assert found["quality"]["webhook"] == {"exempt": "NetSuite sends none of its own"}
    assert found["standing"] in ("certified", "changed since it was certified", "not certified")


async def test_what_is_not_there_says_why(app: FastAPI) -> None:
    assert (await asked(app, "/api/connectors/nothing")).status_code == 404
    answer = await asked(app, "/api/connectors/ledger")
    assert (answer.status_code, answer.json()["code"]) == (404, "broken-connector")
    assert "no kind" in answer.text


@pytest.mark.parametrize("role", Role)
async def test_whoever_may_look_may_see_them(app: FastAPI, monkeypatch: pytest.MonkeyPatch, role: Role) -> None:
    monkeypatch.setattr(security, "LOCAL", Principal(actor=f"person:{role.value}", role=role, name=role.value))
    for path in ("/api/connectors", "/api/connectors/stripe"):
        assert ((await asked(app, path)).status_code == 200) is (Permission.VIEW in GRANTS[role])
        assert (await asked(app, path, token="other")).status_code == 401


def test_the_description_of_the_api_has_them(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    assert paths["/api/connectors"]["get"]["summary"] == "List the connectors that are installed"
    assert paths["/api/connectors/{name}"]["get"]["summary"] == "One connector"
