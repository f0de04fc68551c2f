"""The pages of connectors: what each can do, how good it is, and whether it is certified."""

from __future__ import annotations

from hub.connections.registry import BrokenPlugin, Registry
from hub.queries.connectors import connector_views
from tests.ui.stage import VIEWER, Stage
from tests.ui.visitors import SignIn


async def test_every_connector_that_is_installed_is_listed(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(VIEWER)
    assert 'href="/connectors"' in (await visitor.get("/connections")).text
    page = (await visitor.get("/connectors")).text
    for view in connector_views(set_up.console.connecting.connectors.values()):
        assert f'href="/connectors/{view.name}"' in page
        assert view.vendor in page
        assert f"{view.kept} of {len(view.quality)}" in page
        assert view.standing.value in page


async def test_a_connector_is_shown_with_all_that_is_known_of_it(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(VIEWER)
    for view in connector_views(set_up.console.connecting.connectors.values()):
        page = (await visitor.get(f"/connectors/{view.name}")).text
        for operation in view.operations:
            assert f">{operation.name}<" in page
        assert page.count('<span class="tag tag-busy">native</span>') == 1 + sum(
            operation.idempotency == "native" for operation in view.operations
        )
        assert page.count(">exempt: ") == len(view.quality) - view.kept
        if view.certification is not None:
            assert view.certification.on in page
            assert f"Concord {view.certification.concord}" in page
        assert ("--write</code>" in page) is (view.certification is None)
    assert 'href="/connections/netsuite"' in (await visitor.get("/connectors/netsuite")).text


async def test_what_is_not_there_or_not_loaded_is_told(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(VIEWER)
    assert (await visitor.get("/connectors/nothing")).status_code == 404
    broken = BrokenPlugin(name="ledger", package="concord-ledger", reason="ValueError: <no> kind")
    connecting = set_up.console.connecting
    connecting.connectors = Registry(connecting.connectors.values(), [broken])
    page = (await visitor.get("/connectors")).text
    assert "concord-ledger cannot be loaded. ValueError: &lt;no&gt; kind" in page
