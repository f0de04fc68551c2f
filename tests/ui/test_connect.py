"""An account is connected and tested on the console's pages; secrets go in and never come out."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from tests.ui.stage import ADMIN, OPERATOR, VIEWER, Stage
from tests.ui.visitors import SignIn, csrf_of

pytestmark = pytest.mark.usefixtures("written_into")

KEY, SIGNING = "the-key-that-never-shows", "whsec_dGhlLXNlY3JldC10aGF0LW5ldmVyLXNob3dz"


@pytest.fixture
async def vendor() -> AsyncIterator[Running]:
    async with running(find("helloworld")) as served:
        yield served


def allow(set_up: Stage) -> None:
    """Let the environment reach this machine."""
    file = set_up.console.connecting.workspace / "environments/example.yaml"
    file.write_text(file.read_text() + "\nprivate_hosts: [127.0.0.1]\n")


async def test_an_account_is_connected_and_its_test_says_what_is_wrong(
    set_up: Stage, sign_in: SignIn, vendor: Running
) -> None:
    allow(set_up)
    visitor = await sign_in(ADMIN)
    page = await visitor.get("/connect/helloworld")
    assert 'type="password" name="of.api_key"' in page.text and "Connect Hello World" in page.text
    form = {"csrf": csrf_of(page.text), "name": "greeter", "of.base_url": vendor.url}
    secrets = {"of.api_key": KEY, "of.webhook_secret": SIGNING}
    made = await visitor.post("/connect/helloworld", data=form | secrets)
    assert (made.status_code, made.headers["location"]) == (303, "/connections/greeter?said=connected-to-publish")
    shown = (await visitor.get(made.headers["location"])).text
    assert "does not work" in shown and "The API key is not known." in shown and "concord connect" in shown
    assert "The hub does not use it yet." in shown and "once its files are published" in shown
    right = await visitor.post(
        "/connect/helloworld", data=form | secrets | {"of.api_key": str(vendor.announcement["api_key"])}
    )
    assert right.status_code == 303
    shown += (await visitor.get("/connections/greeter")).text
    assert ">works<" in shown
    again = await visitor.get("/connect/helloworld?name=greeter")
    assert f'value="{vendor.url}"' in again.text
    text = (set_up.console.connecting.workspace / "environments/example.yaml").read_text()
    assert f"  greeter:\n    base_url: {vendor.url}\n    secret: vault:greeter\n" in text
    for secret in (KEY, SIGNING, str(vendor.announcement["api_key"])):
        assert secret not in shown + again.text + text + page.text


async def test_what_is_wrong_stands_beside_its_field_and_secrets_are_not_sent_back(
    set_up: Stage, sign_in: SignIn
) -> None:
    visitor = await sign_in(ADMIN)
    csrf = csrf_of((await visitor.get("/connect/helloworld")).text)
    form = {"csrf": csrf, "name": "greeter", "of.base_url": "greeter.example", "of.api_key": KEY, "of.timeout": "soon"}
    answer = await visitor.post("/connect/helloworld", data=form)
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 3
    assert "write a scheme and a host" in answer.text and "it is missing" in answer.text
    assert 'value="greeter.example"' in answer.text and 'value="soon"' in answer.text
    assert KEY not in answer.text
    assert not (set_up.console.connecting.workspace / "connections/greeter.yaml").exists()


async def test_an_account_of_the_other_kind_is_refused(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(ADMIN)
    csrf = csrf_of((await visitor.get("/connect/stripe")).text)
    form = {"csrf": csrf, "name": "stripe", "of.base_url": "https://api.stripe.com", "of.api_key": "sk_live_0123456789"}
    answer = await visitor.post("/connect/stripe", data=form | {"of.webhook_secret": SIGNING})
    assert answer.status_code == 422
    assert "moves real money" in answer.text and "sk_live" not in answer.text


async def test_a_test_is_ordered_from_the_page(set_up: Stage, sign_in: SignIn) -> None:
    """The accounts of the stage reach nothing; the environment's own word is that no secret is there."""
    operator = await sign_in(OPERATOR)
    page = await operator.get("/connections/stripe")
    assert "Not tested yet" in page.text and "Test now" in page.text
    answer = await operator.post("/connections/stripe/test", data={"csrf": csrf_of(page.text)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/connections/stripe")
    shown = (await operator.get("/connections/stripe")).text
    assert "The secret is not in the vault." in shown and "concord vault set" in shown
    assert "See its test" in (await operator.get("/connections")).text
    assert (await operator.get("/connections/nobody")).status_code == 404


async def test_only_who_may_connects_and_tests(set_up: Stage, sign_in: SignIn) -> None:
    operator, viewer = await sign_in(OPERATOR), await sign_in(VIEWER)
    page = await operator.get("/connections/stripe")
    assert "Change settings" not in page.text and "Connect an account" not in (await operator.get("/connections")).text
    for path in ("/connect", "/connect/stripe"):
        assert (await operator.get(path)).status_code == 403
    csrf = csrf_of(page.text)
    assert (await operator.post("/connect/stripe", data={"csrf": csrf, "name": "x"})).status_code == 403
    page = await viewer.get("/connections/stripe")
    assert "Test now" not in page.text
    csrf = csrf_of(page.text)
    assert (await viewer.post("/connections/stripe/test", data={"csrf": csrf})).status_code == 403
