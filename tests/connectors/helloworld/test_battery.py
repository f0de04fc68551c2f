"""The battery can fail: each way to write a connector wrongly turns one of its checks red."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.helloworld.connector import CONNECTOR
from hub.sdk.connector import Connector, ReadOperation, Webhook, WriteOperation
from hub.sdk.errors import OutcomeUnknown, RetryLater, UnreadableWebhook, WebhookRejected
from hub.sdk.exact_json import canonical, dumps, loads
from hub.sdk.guards import Conditional, Look, Standing
from hub.sdk.testing.battery import ConnectorBattery
from hub.sdk.values import Idempotency, InboundEvent, Request, Response
from tests.connectors.helloworld import test_helloworld

WRITE = next(operation for operation in CONNECTOR.operations if isinstance(operation, WriteOperation))
READ = next(operation for operation in CONNECTOR.operations if isinstance(operation, ReadOperation))
WEBHOOK = CONNECTOR.webhook or Webhook(verify=lambda *_: None, parse=lambda _: [])


def writing(**changes: Any) -> Connector:
    if changes.get("idempotency", Idempotency.UPSERT) is not Idempotency.UPSERT:
        changes = {"guard": None, **changes}
    return replace(CONNECTOR, operations=(READ, replace(WRITE, **changes)))


def asking(change: Callable[[Request, Any, str], Request], **changes: Any) -> Connector:
    def request(settings: Any, record: Any, key: Any) -> Request:
        return change(WRITE.request(settings, record, key), settings, key)

    return writing(request=request, **changes)


def hooked(**changes: Any) -> Connector:
    return replace(CONNECTOR, webhook=replace(WEBHOOK, **changes))


def header(request: Request, name: str, value: str) -> Request:
    return replace(request, headers={**request.headers, name: value})


def leaking(request: Request, settings: Any, key: str) -> Request:
    return replace(request, url=f"{request.url}?key={settings.api_key.get_secret_value()}")


def keyed_twice(request: Request, settings: Any, key: str) -> Request:
    return header(replace(request, url=f"{request.url}?key={key}"), "idempotency-key", key)


def trusting_the_old(settings: Any, headers: Any, body: bytes, now: datetime) -> None:
    stamp = headers.get("webhook-timestamp", "")
    at = datetime.fromtimestamp(int(stamp), UTC) if stamp.isascii() and stamp.isdigit() and len(stamp) < 12 else now
    WEBHOOK.verify(settings, headers, body, at)


def trusting_one_signature(settings: Any, headers: Any, body: bytes, now: datetime) -> None:
    first = headers.get("webhook-signature", "").partition(" ")[0]
    WEBHOOK.verify(settings, {**headers, "webhook-signature": first}, body, now)


def trusting_what_is_not_signed(settings: Any, headers: Any, body: bytes, now: datetime) -> None:
    if "webhook-signature" in headers:
        WEBHOOK.verify(settings, headers, body, now)


def trusting_the_trimmed(settings: Any, headers: Any, body: bytes, now: datetime) -> None:
    try:
        WEBHOOK.verify(settings, headers, body, now)
    except WebhookRejected:
        WEBHOOK.verify(settings, headers, body.rstrip(b" "), now)


def crashing(settings: Any, headers: Any, body: bytes, now: datetime) -> None:
    int(headers.get("webhook-timestamp", "0"))
    WEBHOOK.verify(settings, headers, body, now)


def careless(body: bytes) -> list[InboundEvent]:
    value = loads(body)
    return [replace(WEBHOOK.parse(body)[0], external_id=value.get("id"))]


def vague(body: bytes) -> list[InboundEvent]:
    try:
        return list(WEBHOOK.parse(body))
    except UnreadableWebhook:
        return []


def hopeful(response: Response) -> Any:
    return None if response.status >= 500 else CONNECTOR.classify(response)


def blind(response: Response) -> Any:
    return RetryLater("again") if response.status >= 500 else CONNECTOR.classify(response)


def gullible(response: Response) -> Any:
    return {"id": "g-2", "recipient": "x", "language": "en", "text": "x", "version": 1}


def not_there(response: Response, key: str) -> Any:
    return None


def _at_the_greeting(settings: Any, request: Request) -> Request:
    return Request(method="GET", url=request.url)


def _stands(response: Response) -> Standing | None:
    if response.status == 404:
        if b'"greeting_not_found"' in response.body:
            return None
        raise OutcomeUnknown
    greeting = WRITE.result(response)
    return Standing(version=str(greeting["version"]), output=greeting, count=greeting["version"])


def _holds(request: Request, response: Response) -> bool:
    return bool(loads(request.body) == WRITE.result(response))


LOOK = Look(current=_at_the_greeting, standing=_stands, holds=_holds)


def guarded(bind: Any = None, **changes: Any) -> Connector:
    """Look at the greeting before it is written; its version is what the service compares."""
    bound = bind or (lambda request, _standing: request)
    return writing(guard=Conditional(refused=frozenset({"stale-version"}), look=replace(LOOK, **changes), bind=bound))


def seeing(change: Callable[[Standing], Standing | None]) -> Connector:
    def standing(response: Response) -> Standing | None:
        seen = _stands(response)
        return None if seen is None else change(seen)

    return guarded(standing=standing)


def forcing(request: Request, standing: Standing | None) -> Request:
    return replace(request, body=canonical({**loads(request.body), "version": 99}))


RISING = iter(range(1, 1_000))

PROBE: dict[str, Any] = {
    "idempotency": Idempotency.PROBE,
    "look": lambda settings, key: Request(method="GET", url=f"{settings.base_url}/v1/greetings/{key}"),
    "found": not_there,
}

MUTANTS: dict[str, tuple[Connector, str]] = {
    "a name with capitals": (replace(CONNECTOR, name="Hello"), "test_names_are_well_formed_and_unique"),
    "one operation twice": (
        replace(CONNECTOR, operations=(*CONNECTOR.operations, READ)),
        "test_names_are_well_formed_and_unique",
    ),
    "a schema that is none": (
        replace(CONNECTOR, schemas={"helloworld.greeting@1": {"type": "objekt"}}),
        "test_schemas_are_json_schemas",
    ),
    "a schema without a version": (replace(CONNECTOR, schemas={"greeting": {}}), "test_schemas_are_json_schemas"),
    "a schema that is missing": (replace(CONNECTOR, schemas={}), "test_operation_is_described"),
    "an undo that is a read": (writing(undo="greeting.read"), "test_undo_names_a_write"),
    "an operation nobody tried": (writing(name="greeting.replace"), "test_operation_has_a_sample"),
    "an operation the README forgot": (writing(name="greeting.replace"), "test_readme_names_every_operation"),
    "a manifest that boasts": (replace(CONNECTOR, streams=()), "test_manifest_is_true"),
    "a request with the time in it": (
        asking(lambda request, settings, key: header(request, "x-at", str(time.monotonic_ns()))),
        "test_request_is_pure",
    ),
    "a request in the input's order": (
        writing(request=lambda settings, record, key: Request(method="PUT", url="http://x/", body=dumps(record))),
        "test_request_is_pure",
    ),
    "a write that is a GET": (
        asking(lambda request, settings, key: replace(request, method="GET")),
        "test_request_is_a_write",
    ),
    "a native write without its key": (writing(idempotency=Idempotency.NATIVE), "test_key_stands_in_one_place"),
    "a key in two places": (
        asking(keyed_twice, idempotency=Idempotency.NATIVE),
        "test_key_stands_in_one_place",
    ),
    "a look for something else": (
        writing(**{**PROBE, "look": lambda settings, key: Request(method="GET", url=settings.base_url)}),
        "test_look_depends_on_the_key",
    ),
    "a secret in the address": (asking(leaking), "test_request_carries_no_credentials"),
    "an authorisation that is recorded": (
        asking(lambda request, settings, key: header(request, "Authorization", "Bearer x")),
        "test_request_carries_no_credentials",
    ),
    "500 as a success": (replace(CONNECTOR, classify=hopeful), "test_classify_takes_anything"),
    "500 as `nothing was done`": (replace(CONNECTOR, classify=blind), "test_families_follow_the_status"),
    "a wait that is overheard": (
        replace(CONNECTOR, classify=lambda response: RetryLater("wait")),
        "test_wait_is_taken_over",
    ),
    "a result of anything": (writing(result=gullible), "test_result_takes_anything"),
    "a result that breaks": (
        writing(result=lambda response: loads(response.body)["id"]),
        "test_result_takes_anything",
    ),
    "a result of anything, beside what was sent": (
        writing(beside=lambda _request, response: gullible(response)),
        "test_result_takes_anything",
    ),
    "a look-up that shrugs": (writing(**PROBE), "test_found_takes_anything"),
    "no signature": (hooked(verify=trusting_what_is_not_signed), "test_missing_signature_is_refused"),
    "an old signature": (hooked(verify=trusting_the_old), "test_stale_and_future_are_refused"),
    "one signature of several": (hooked(verify=trusting_one_signature), "test_several_signatures"),
    "a body that was trimmed": (hooked(verify=trusting_the_trimmed), "test_changed_body_is_refused"),
    "any secret": (hooked(verify=lambda *_: None), "test_wrong_signature_is_refused"),
    "a header that breaks it": (hooked(verify=crashing), "test_junk_headers_are_refused"),
    "a body that breaks it": (hooked(parse=careless), "test_unreadable_bodies_are_refused"),
    "a body that is ignored": (hooked(parse=vague), "test_unreadable_bodies_are_refused"),
    "a ping that finds all well": (
        replace(CONNECTOR, ping=lambda session: _nothing()),
        "test_wrong_credentials_are_for_the_connection",
    ),
    "an upsert that adds": (
        asking(
            lambda request, settings, key: replace(
                request, body=canonical({**loads(request.body), "version": next(RISING)})
            )
        ),
        "test_write_happens_once",
    ),
    "a look-up that finds nothing": (writing(**PROBE), "test_write_happens_once"),
    "an upsert without a guard": (writing(guard=None), "test_upsert_is_guarded"),
    "a refusal that is not the guard's": (
        writing(guard=Conditional(refused=frozenset({"stale"}))),
        "test_target_refuses_to_go_back",
    ),
    "a write that goes over anything": (guarded(bind=forcing), "test_target_refuses_to_go_back"),
    "a look that writes": (
        guarded(current=lambda settings, request: replace(request, headers={})),
        "test_guard_reads",
    ),
    "a look that sees nothing": (seeing(lambda _: None), "test_guard_sees_what_stands"),
    "a version that stays": (seeing(lambda seen: replace(seen, version="1")), "test_guard_sees_what_stands"),
    "a version that moves by itself": (
        seeing(lambda seen: replace(seen, version=str(next(RISING)))),
        "test_guard_sees_what_stands",
    ),
    "a count that stays": (seeing(lambda seen: replace(seen, count=1)), "test_guard_sees_what_stands"),
    "another one's output": (
        seeing(lambda seen: replace(seen, output={**seen.output, "id": "g-1"})),
        "test_guard_sees_what_stands",
    ),
    "anything is what was written": (guarded(holds=lambda *_: True), "test_guard_sees_what_stands"),
    "nothing is what was written": (guarded(holds=lambda *_: False), "test_guard_sees_what_stands"),
    "a gateway's 404 as `nothing is there`": (
        guarded(standing=lambda response: None if response.status == 404 else _stands(response)),
        "test_standing_takes_anything",
    ),
}


async def _nothing() -> None:
    return None


def battery_of(connector: Connector) -> ConnectorBattery:
    made = type("Battery", (test_helloworld.TestHelloworld,), {"connector": connector})()
    assert isinstance(made, ConnectorBattery)
    return made


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_wrong_connector_is_found(mutant: str) -> None:
    connector, name = MUTANTS[mutant]
    # However it fails, it is the mutation: the right connector passes the same check below.
    with pytest.raises((Exception, pytest.fail.Exception)):
        await run(battery_of(connector), name)


async def test_what_goes_wrong_over_one_of_many_bodies_names_it() -> None:
    for name in ("test_result_takes_anything", "test_found_takes_anything"):
        wrong = writing(result=gullible) if "result" in name else writing(**PROBE)
        with pytest.raises((Exception, pytest.fail.Exception)) as caught:
            await run(battery_of(wrong), name)
        assert [note for note in caught.value.__notes__ if note.startswith("The body was: ")]


async def test_a_guard_that_nobody_tries_is_found() -> None:
    battery = battery_of(CONNECTOR)
    alone = [replace(sample, interfering=()) for sample in battery.samples.writes]
    type(battery).samples = replace(battery.samples, writes=alone)
    with pytest.raises(AssertionError, match="nobody interferes"):
        await run(battery, "test_guard_is_tried")


@pytest.mark.parametrize("name", sorted({name for _, name in MUTANTS.values()}))
@pytest.mark.parametrize("connector", [CONNECTOR, guarded()], ids=["as-shipped", "with-a-look"])
async def test_the_right_connector_passes(connector: Connector, name: str) -> None:
    await run(battery_of(connector), name)


async def run(battery: ConnectorBattery, name: str) -> None:
    """Run one check over all the operations, samples and parameters it wants."""
    check = getattr(battery, name)
    wanted = inspect.signature(check).parameters
    choices: dict[str, list[Any]] = {
        "operation": list(battery.connector.operations),
        "write": [operation for operation in battery.connector.operations if isinstance(operation, WriteOperation)],
        "read_sample": list(battery.samples.reads),
        "write_sample": list(battery.samples.writes),
        "webhook_sample": list(battery.samples.webhooks),
    }
    for mark in getattr(check, "pytestmark", []):
        if mark.name == "parametrize":
            choices[mark.args[0]] = list(mark.args[1])
    calls: list[dict[str, Any]] = [{}]
    for parameter in wanted:
        calls = [{**call, parameter: value} for call in calls for value in choices[parameter]]
    for call in calls:
        outcome = check(**call)
        if inspect.isawaitable(outcome):
            await outcome
