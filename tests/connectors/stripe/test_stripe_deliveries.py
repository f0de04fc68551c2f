"""The sandbox's webhooks: signed, retried, several at once, and wrong when a fault says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import stripe

from hub.sandbox.server import Running
from tests.connectors.stripe.partners import Client, Inbox, settled

DRAWN = {"customers": 12, "invoices": 60, "pay_within": 0.05}


async def listen(sandbox: Running, inbox: Inbox, *events: str, **more: Any) -> dict[str, Any]:
    """Register the inbox for events; gives the endpoint with its secret."""
    endpoint = {"url": inbox.url, "enabled_events": list(events), **more}
    wish = {"switches": {"webhook_waits": [0.02] * 8}, "endpoints": [endpoint]}
    return dict((await sandbox.world.books.seed(wish))["made"]["endpoints"][0])


async def test_every_event_that_is_wanted_arrives(client: Client, sandbox: Running, inbox: Inbox) -> None:
    def register(call: stripe.StripeClient) -> tuple[str, str]:
        made = call.v1.webhook_endpoints.create({"url": inbox.url, "enabled_events": ["customer.created"]})
        assert made.secret is not None
        assert call.v1.webhook_endpoints.retrieve(made.id).to_dict().get("secret") is None
        wanted: Any = ["invoice.*", "invoice_payment.paid"]
        call.v1.webhook_endpoints.update(made.id, {"enabled_events": wanted})
        return made.id, made.secret

    identifier, secret = await client(register)
    await sandbox.world.books.seed({"generate": DRAWN, "drive": {"per_second": 500}})
    books = await settled(sandbox)
    arrived = inbox.events(secret)
    wanted = [event["id"] for event in books["events"] if event["type"].split(".")[0] in {"invoice", "invoice_payment"}]
    assert sorted(event.id for event in arrived) == sorted(wanted)
    assert all(event["pending"] == 0 for event in books["events"])
    assert {event.api_version for event in arrived} == {"2026-09-30.endive"}
    long = [event for event in arrived if event.type == "invoice.finalized" and event.data.object["lines"]["has_more"]]
    assert long
    assert all(len(event.data.object["lines"]["data"]) == 10 for event in long)
    await client(lambda call: call.v1.webhook_endpoints.delete(identifier))
    await sandbox.world.books.seed({"customers": [{"name": "unheard"}]})
    assert len((await settled(sandbox))["deliveries"]) == len(arrived)


async def test_what_is_not_answered_2xx_is_sent_again(sandbox: Running, inbox: Inbox) -> None:
    endpoint = await listen(sandbox, inbox, "*")
    inbox.statuses = [500, 302, 404, 200]
    await sandbox.world.books.seed({"customers": [{"name": "A"}]})
    books = await settled(sandbox)
    assert [(one["attempt"], one["status"]) for one in books["deliveries"]] == [(1, 500), (2, 302), (3, 404), (4, 200)]
    assert len({event.id for event in inbox.events(endpoint["secret"])}) == 1


async def test_nobody_listens(sandbox: Running, inbox: Inbox) -> None:
    await listen(sandbox, inbox, "*")
    await sandbox.world.books.seed({"endpoints": [{"url": "http://127.0.0.1:9/hooks", "enabled_events": ["*"]}]})
    await sandbox.world.books.seed({"customers": [{"name": "A"}]})
    books = await settled(sandbox)
    assert len(inbox.bodies) == 1
    assert [one["status"] for one in books["deliveries"]].count(None) == 9
    assert books["events"][0]["pending"] == 1


async def test_several_at_once_but_not_more_than_allowed(sandbox: Running, inbox: Inbox) -> None:
    await listen(sandbox, inbox, "*")
    inbox.delay = 0.02
    await sandbox.world.books.seed(
        {"switches": {"webhook_concurrency": 5}, "customers": [{"name": str(number)} for number in range(40)]}
    )
    await settled(sandbox)
    assert len(inbox.bodies) == 40
    assert 2 <= inbox.most_at_once <= 5


async def test_duplicates_disorder_and_losses(sandbox: Running, inbox: Inbox) -> None:
    endpoint = await listen(sandbox, inbox, "customer.created")
    plan = [
        {"kind": "webhook_duplicate", "rate": 0.3, "seconds": 0.1},
        {"kind": "webhook_shuffle", "rate": 0.5, "seconds": 0.2},
        {"kind": "webhook_lost", "rate": 0.1, "match": {"path": "^customer"}},
    ]
    sandbox.world.faults.replace(plan)
    await sandbox.world.books.seed({"customers": [{"name": str(number)} for number in range(100)]})
    books = await settled(sandbox)
    injected = sandbox.world.faults.injected
    assert all(injected[str(entry["kind"])] > 3 for entry in plan)
    arrived = [event.id for event in inbox.events(endpoint["secret"])]
    recorded = [event["id"] for event in books["events"]]
    assert len(arrived) == 100 + injected["webhook_duplicate"] - injected["webhook_lost"]
    assert len(set(arrived)) == 100 - injected["webhook_lost"]
    firsts = list(dict.fromkeys(arrived))
    assert firsts != [identifier for identifier in recorded if identifier in set(arrived)]


async def test_torn_and_malformed_bodies(sandbox: Running, inbox: Inbox) -> None:
    endpoint = await listen(sandbox, inbox, "customer.created")
    sandbox.world.faults.replace([{"kind": "webhook_malformed", "times": 1}, {"kind": "webhook_torn", "times": 1}])
    inbox.statuses = [200, 401, 200]
    await sandbox.world.books.seed({"customers": [{"name": "A"}]})
    books = await settled(sandbox)
    faults = [one["fault"] for one in books["deliveries"]]
    assert sorted(faults, key=str) == [None, "webhook_malformed", "webhook_torn"]
    good = 0
    for body, signature in zip(inbox.bodies, inbox.signatures, strict=True):
        try:
            stripe.Webhook.construct_event(body, signature, endpoint["secret"])
            good += 1
        except stripe.SignatureVerificationError:
            pass
        except ValueError:
            # Signed, and still not JSON.
            stripe.WebhookSignature.verify_header(body.decode(), signature, endpoint["secret"])
    assert good == 1


async def test_a_rolled_secret_signs_beside_the_new_one_for_a_while(sandbox: Running, inbox: Inbox) -> None:
    endpoint = await listen(sandbox, inbox, "*")
    rolled = await sandbox.world.books.seed({"roll_secret": {"endpoint": endpoint["id"], "keep_old": 60}})
    await sandbox.world.books.seed({"customers": [{"name": "A"}]})
    await settled(sandbox)
    assert inbox.events(endpoint["secret"]) == inbox.events(rolled["made"]["secret"])
    sandbox.world.clock.advance(61)
    inbox.bodies.clear()
    inbox.signatures.clear()
    await sandbox.world.books.seed({"customers": [{"name": "B"}]})
    await settled(sandbox)
    assert len(inbox.events(rolled["made"]["secret"])) == 1
    with pytest.raises(stripe.SignatureVerificationError):
        inbox.events(endpoint["secret"])


async def test_an_endpoint_gets_the_shape_of_its_own_version(sandbox: Running, inbox: Inbox) -> None:
    endpoint = await listen(sandbox, inbox, "invoice.created", api_version="2026-10-28.endive")
    await sandbox.world.books.seed(
        {"customers": [{"key": "a", "name": "A"}], "invoices": [{"create": {"customer": "@a"}, "finalize": False}]}
    )
    await settled(sandbox)
    (event,) = inbox.events(endpoint["secret"])
    assert event.api_version == "2026-10-28.endive"
    assert "status_details" in event.data.object


async def test_reset_stops_what_is_under_way(sandbox: Running, inbox: Inbox) -> None:
    await listen(sandbox, inbox, "*")
    await sandbox.world.books.seed({"generate": DRAWN, "drive": {"per_second": 20}})
    await asyncio.sleep(0.1)
    await sandbox.world.reset()
    await asyncio.sleep(0.1)
    taken = len(inbox.bodies)
    books = await settled(sandbox)
    assert (books["invoices"], books["events"], books["planned"]) == ([], [], 0)
    await asyncio.sleep(0.1)
    assert len(inbox.bodies) == taken
