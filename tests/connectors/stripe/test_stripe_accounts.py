"""Connected accounts, limits and locks in the sandbox."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest
import stripe

from hub.sandbox.server import Running
from tests.connectors.stripe.partners import Client, Inbox, settled

HOUR = 3600


async def test_a_connected_account_has_its_own_objects_events_and_keys(
    client: Client, sandbox: Running, inbox: Inbox
) -> None:
    def work(call: stripe.StripeClient) -> tuple[str, str]:
        wanted: Any = {"url": inbox.url, "enabled_events": ["customer.created"], "connect": True}
        secret = call.v1.webhook_endpoints.create(wanted).secret
        account = call.v1.accounts.create({"type": "standard", "country": "DE"}).id
        options: Any = {"stripe_account": account, "idempotency_key": "same"}
        theirs = call.v1.customers.create({"name": "Theirs"}, options=options)
        ours = call.v1.customers.create({"name": "Ours"}, options={"idempotency_key": "same"})
        assert theirs.id != ours.id
        assert [one.name for one in call.v1.customers.list()] == ["Ours"]
        assert [one.name for one in call.v1.customers.list(options={"stripe_account": account})] == ["Theirs"]
        with pytest.raises(stripe.InvalidRequestError) as missing:
            call.v1.customers.retrieve(theirs.id)
        assert missing.value.http_status == 404
        (event,) = call.v1.events.list(options={"stripe_account": account}).data
        assert event.account == account
        assert call.v1.events.list({"types": ["customer.created"]}).data[0].to_dict().get("account") is None
        with pytest.raises(stripe.PermissionError) as stranger:
            call.v1.customers.list(options={"stripe_account": "acct_nobody"})
        assert stranger.value.http_status == 403
        refused: Any = stranger.value.json_body
        assert refused["error"]["code"] == "account_invalid"
        assert call.v1.accounts.retrieve_current(options={"stripe_account": account}).id == account
        own = call.v1.accounts.retrieve_current()
        assert own.id == call.v1.accounts.retrieve_current().id != account
        assert secret is not None
        return secret, account

    secret, account = await client(work)
    books = await settled(sandbox)
    (told,) = inbox.events(secret)
    assert (told.account, told.data.object["name"]) == (account, "Theirs")
    assert [one["name"] for one in books["accounts"][account]["customers"]] == ["Theirs"]


async def test_a_seed_may_be_for_a_connected_account(sandbox: Running) -> None:
    await sandbox.world.books.seed({"accounts": [{"key": "shop"}]})
    await sandbox.world.books.seed({"account": "@shop", "customers": [{"key": "c", "name": "Theirs"}]})
    books = sandbox.world.books.snapshot()
    assert books["customers"] == []
    assert [one["name"] for held in books["accounts"].values() for one in held["customers"]] == ["Theirs"]
    with pytest.raises(ValueError, match="no connected account"):
        await sandbox.world.books.seed({"account": "acct_nobody", "customers": []})


async def answers(sandbox: Running, calls: list[tuple[str, str, str]]) -> list[tuple[int, str | None]]:
    """Send requests at once; gives each status with the limit that was reached."""
    headers = {"Authorization": f"Bearer {sandbox.announcement['api_key']}"}
    async with aiohttp.ClientSession(headers=headers) as http:

        async def one(method: str, path: str, form: str) -> tuple[int, str | None]:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            async with http.request(method, sandbox.url + path, data=form or None, headers=kind) as answer:
                await answer.read()
                return answer.status, answer.headers.get("Stripe-Rate-Limited-Reason")

        return list(await asyncio.gather(*(one(*call) for call in calls)))


async def test_an_endpoint_has_a_rate_of_its_own(sandbox: Running) -> None:
    await sandbox.world.books.seed({"switches": {"endpoint_rate": 5}})
    got = await answers(sandbox, [("GET", "/v1/customers", "")] * 8 + [("GET", "/v1/invoices", "")] * 5)
    assert got.count((429, "endpoint-rate")) == 3
    assert [status for status, _ in got[8:]] == [200] * 5
    sandbox.world.clock.advance(1.1)
    assert (await answers(sandbox, [("GET", "/v1/customers", "")]))[0][0] == 200
    assert sandbox.world.books.snapshot()["refused_by_limits"] == 3


@pytest.mark.parametrize(("stated", "in_all"), [("live", 100), ("sandbox", 25)])
async def test_the_limits_are_those_that_stripe_states(sandbox: Running, stated: str, in_all: int) -> None:
    await sandbox.world.books.seed({"switches": {"limits": stated}})
    lists = ("customers", "invoices", "prices", "products", "refunds")
    got = await answers(sandbox, [("GET", f"/v1/{kind}", "") for kind in lists for _ in range(22)])
    assert got.count((429, "global-rate")) == len(got) - in_all
    sandbox.world.clock.advance(1.1)
    searches = [("GET", f"/v1/{kind}/search?query=created%3E1", "") for kind in ("customers", "prices")]
    got = await answers(sandbox, searches * 11)
    assert got.count((429, "endpoint-rate")) == 2
    sandbox.world.clock.advance(1.1)
    got = await answers(sandbox, [("GET", "/v1/customers", "")] * 26)
    assert [status for status, _ in got].count(429) == 1
    with pytest.raises(ValueError, match="live or sandbox"):
        await sandbox.world.books.seed({"switches": {"limits": "none"}})


async def test_an_endpoint_serves_so_many_at_once(sandbox: Running) -> None:
    await sandbox.world.books.seed({"switches": {"endpoint_concurrency": 2, "latency": 0.2}})
    got = await answers(sandbox, [("GET", "/v1/customers", "")] * 5)
    assert got.count((429, "endpoint-concurrency")) == 3


async def test_meter_events_count_apart(sandbox: Running) -> None:
    await sandbox.world.books.seed({"switches": {"rate": 2, "meter_event_rate": 4}})
    meter = "event_name=x&payload[value]=1"
    got = await answers(sandbox, [("POST", "/v1/billing/meter_events", meter)] * 6)
    assert [status for status, _ in got].count(200) == 4
    assert got.count((429, "endpoint-rate")) == 2
    assert [status for status, _ in await answers(sandbox, [("GET", "/v1/customers", "")] * 2)] == [200, 200]


async def test_writes_to_one_object_come_one_by_one(client: Client, sandbox: Running) -> None:
    customer = await client(lambda call: call.v1.customers.create({"name": "A"}).id)
    # The second gets its turn 0.2 s before it gives up, and the third gives up 0.2 s before its turn.
    await sandbox.world.books.seed({"switches": {"latency": 0.4, "lock_wait": 0.6}})
    path = f"/v1/customers/{customer}"
    got = await answers(sandbox, [("POST", path, f"name={n}") for n in range(4)])
    assert sorted(status for status, _ in got) == [200, 200, 429, 429]
    assert {reason for status, reason in got if status == 429} == {"resource-specific"}
    assert [status for status, _ in await answers(sandbox, [("GET", path, "")] * 4)] == [200] * 4


async def test_who_comes_when_a_write_ends_waits_behind_who_waited(client: Client, sandbox: Running) -> None:
    customer = await client(lambda call: call.v1.customers.create({"name": "A"}).id)
    await sandbox.world.books.seed({"switches": {"latency": 0.2, "lock_wait": 5.0}})
    call = [("POST", f"/v1/customers/{customer}", "name=B")]
    began = time.monotonic()
    first, waiting = (asyncio.create_task(answers(sandbox, call)) for _ in range(2))
    await asyncio.wait([first, waiting], return_when=asyncio.FIRST_COMPLETED)
    last = await asyncio.gather(first, waiting, answers(sandbox, call))
    assert list(last) == [[(200, None)]] * 3
    # Nobody overtakes: three writes of one object take three times as long as one.
    assert time.monotonic() - began >= 0.6


async def test_events_of_one_customer_and_meter_come_one_by_one(sandbox: Running) -> None:
    await sandbox.world.books.seed({"switches": {"latency": 0.15, "lock_wait": 0.1}})
    path = "/v1/billing/meter_events"
    sent = (("a", 1), ("a", 1), ("a", 2), ("b", 1))
    forms = [f"event_name={name}&payload[stripe_customer_id]=cus_{number}" for name, number in sent]
    got = await answers(sandbox, [("POST", path, form) for form in forms])
    assert sorted(got[:2], key=str) == [(200, None), (429, "resource-specific")]
    assert [status for status, _ in got[2:]] == [200, 200]


async def test_stripes_own_retry_schedule_goes_by_the_clock(sandbox: Running, inbox: Inbox) -> None:
    inbox.statuses = [500] * 3
    wish: Any = {"switches": {"webhook_waits": "live"}, "endpoints": [{"url": inbox.url, "enabled_events": ["*"]}]}
    await sandbox.world.books.seed(wish)
    await sandbox.world.books.seed({"customers": [{"name": "A"}]})
    for seconds, attempts in ((0, 1), (240, 1), (61, 2), (1801, 3), (2 * HOUR + 1, 4), (72 * HOUR, 4)):
        sandbox.world.clock.advance(seconds)
        for _ in range(200):
            if len(sandbox.world.books.snapshot()["deliveries"]) >= attempts:
                break
            await asyncio.sleep(0.01)
        books = sandbox.world.books.snapshot()
        assert len(books["deliveries"]) == attempts, seconds
    assert books["events"][0]["pending"] == 0


async def test_stripes_own_schedule_can_be_sped_up(sandbox: Running, inbox: Inbox) -> None:
    inbox.statuses = [500] * 20
    switches = {"webhook_waits": "live", "webhook_speed": 1_000_000}
    await sandbox.world.books.seed({"switches": switches, "endpoints": [{"url": inbox.url, "enabled_events": ["*"]}]})
    await sandbox.world.books.seed({"customers": [{"name": "A"}]})
    books = await settled(sandbox)
    assert [one["attempt"] for one in books["deliveries"]] == list(range(1, 11))
    assert books["events"][0]["pending"] == 1


async def test_what_is_due_happens_although_nobody_asks(sandbox: Running, inbox: Inbox) -> None:
    place = {"name": "M", "enabled_events": ["*"], "webhook_endpoint": {"url": inbox.url}}
    event = {"event_name": "nobody", "identifier": "m-1", "payload": {"value": "1"}}
    wish = {"switches": {"meter_reports_after": 3600}, "destinations": [place], "meter_events": [event]}
    await sandbox.world.books.seed(wish)
    sandbox.world.clock.advance(3600)
    async with asyncio.timeout(5):
        while not inbox.bodies:
            await asyncio.sleep(0.02)


async def test_events_tell_whether_they_were_delivered(client: Client, sandbox: Running, inbox: Inbox) -> None:
    inbox.statuses = [500, 500, 200]
    wish: Any = {"switches": {"webhook_waits": [0.01]}, "endpoints": [{"url": inbox.url, "enabled_events": ["*"]}]}
    await sandbox.world.books.seed(wish)
    await sandbox.world.books.seed({"customers": [{"name": "lost"}]})
    await settled(sandbox)
    await sandbox.world.books.seed({"customers": [{"name": "told"}]})
    await settled(sandbox)

    def work(call: stripe.StripeClient) -> list[list[str]]:
        found = (call.v1.events.list({"delivery_success": success}).data for success in (True, False))
        return [[event.data.object["name"] for event in events] for events in found]

    assert await client(work) == [["told"], ["lost"]]


async def test_what_a_limit_refuses_leaves_its_key_free(client: Client, sandbox: Running) -> None:
    await sandbox.world.books.seed({"switches": {"endpoint_rate": 1}})
    options: Any = {"idempotency_key": "kept"}

    def work(call: stripe.StripeClient) -> None:
        call.v1.customers.create({"name": "First"})
        with pytest.raises(stripe.RateLimitError):
            call.v1.customers.create({"name": "Second"}, options=options)

    await client(work)
    sandbox.world.clock.advance(1.1)
    made = await client(lambda call: call.v1.customers.create({"name": "Other"}, options=options))
    assert made.name == "Other"


async def test_thin_events_are_listed_page_by_page(client: Client, sandbox: Running) -> None:
    await sandbox.world.books.seed({"switches": {"meter_reports_after": 0}})
    for number in range(25):
        event = {"event_name": "nobody", "identifier": f"m-{number}", "payload": {"value": "1"}}
        await sandbox.world.books.seed({"meter_events": [event]})
        sandbox.world.books.snapshot()

    def work(call: stripe.StripeClient) -> list[str]:
        page: Any = call.v2.core.events.list({"limit": 10})
        assert page.next_page_url is not None
        assert page.previous_page_url is None
        return [event.id for event in page.auto_paging_iter()]

    found = await client(work)
    assert found == [event["id"] for event in reversed(sandbox.world.books.snapshot()["thin_events"])]
    assert len(found) == 25
    sandbox.world.clock.advance(31 * 24 * HOUR)
    assert await client(lambda call: list(call.v2.core.events.list().data)) == []


async def test_the_secret_of_a_destination_is_rolled(sandbox: Running, inbox: Inbox) -> None:
    kind = "v1.billing.meter.no_meter_found"
    place = {"key": "meters", "name": "M", "enabled_events": [kind], "webhook_endpoint": {"url": inbox.url}}
    made = (await sandbox.world.books.seed({"switches": {"meter_reports_after": 0}, "destinations": [place]}))["made"]
    wish = {"roll_secret": {"endpoint": "@meters", "keep_old": 60}}
    rolled = (await sandbox.world.books.seed(wish))["made"]["secret"]
    event = {"event_name": "nobody", "identifier": "m-1", "payload": {"value": "1"}}
    await sandbox.world.books.seed({"meter_events": [event]})
    await settled(sandbox)
    for secret in (rolled, made["destinations"][0]["secret"]):
        stripe.WebhookSignature.verify_header(inbox.bodies[0].decode(), inbox.signatures[0], secret)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(inbox.bodies[0].decode(), inbox.signatures[0], "whsec_other")
