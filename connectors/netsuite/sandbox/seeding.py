"""Seeds the account through the control API: reference data, customers, scripts, certificates, settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox import orders, writing
from connectors.netsuite.sandbox.problems import Refusal
from connectors.netsuite.sandbox.record_types import RECORD_TYPES, record_type
from connectors.netsuite.sandbox.signatures import AccessToken

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

_KEYS = frozenset(
    {
        "settings",
        "references",
        "customers",
        "records",
        "changes",
        "restlets",
        "certificates",
        "access_tokens",
        "close",
        "open",
    }
)
_SETTINGS = frozenset(
    {
        "token_seconds",
        "token_seconds_as_text",
        "concurrency",
        "others",
        "latency",
        "job_seconds",
        "denied",
        "revoke_tokens",
        "seconds_later",
        "sales_order_status",
    }
)


def seed(account: Account, wish: Mapping[str, Any]) -> Mapping[str, Any]:
    """Create what is wished; raises `ValueError` for what makes no sense.

    - `references`: kind → entries with `id`, `name`, `externalId` and the kind's facts
    - `customers`: bodies of the record service; `currency` may be an ISO code, `currencies` lists more of them
    - `records`: bodies of the record service with their `type`, and with an `id` where a record is to have that one
    - `changes`: bodies of the record service with their `type` and `id`, as people at the account make them; sublists
      that are named are replaced
    - `close`, `open`: names or ids of accounting periods
    - `settings`: `token_seconds`, `token_seconds_as_text`, `concurrency`, `others` (places of it that other
      integrations hold), `latency` (seconds a request takes), `job_seconds`, `denied` (what the role may not do),
      `revoke_tokens`, `seconds_later` (how far the clock moves on when all is made), `sales_order_status` (A or B, what
      a new sales order is when it does not say)
    - `restlets`: `script`, `deploy`, `behaviour`; `certificates`: `certificate_id`, `client_id`, and `public_key` or
      `certificate`; `access_tokens`: `consumer_key`, `consumer_secret`, `token`, `token_secret`
    """
    _refuse_unknown(wish, _KEYS)
    _set(account, wish.get("settings", {}))
    for kind, entries in wish.get("references", {}).items():
        for entry in entries:
            account.references.put(kind, entry)
    for closed, key in ((True, "close"), (False, "open")):
        for period in wish.get(key, []):
            _period(account, str(period), closed=closed)
    for script in wish.get("restlets", []):
        account.restlets.deploy(str(script["script"]), str(script["deploy"]), str(script["behaviour"]))
    for certificate in wish.get("certificates", []):
        account.tokens.register(
            certificate_id=str(certificate["certificate_id"]),
            client_id=str(certificate.get("client_id", account.tokens.client_id)),
            pem=str(certificate.get("public_key") or certificate["certificate"]),
        )
    for token in wish.get("access_tokens", []):
        account.signatures.register(
            AccessToken(
                consumer_key=str(token.get("consumer_key", account.tokens.client_id)),
                consumer_secret=str(token["consumer_secret"]),
                token=str(token["token"]),
                token_secret=str(token["token_secret"]),
            )
        )
    made = [_customer(account, place, entry) for place, entry in enumerate(wish.get("customers", []))]
    for place, entry in enumerate(wish.get("records", [])):
        _record(account, place, entry)
    for place, entry in enumerate(wish.get("changes", [])):
        _change(account, place, entry)
    account.clock.advance(float(wish.get("settings", {}).get("seconds_later", 0)))
    return {
        "customers": {external_id: internal_id for external_id, internal_id in made if external_id},
        "customer_ids": [internal_id for _, internal_id in made],
    }


def _set(account: Account, settings: Mapping[str, Any]) -> None:
    _refuse_unknown(settings, _SETTINGS)
    if "token_seconds" in settings:
        account.tokens.life = int(settings["token_seconds"])
    if "token_seconds_as_text" in settings:
        account.tokens.life_as_text = bool(settings["token_seconds_as_text"])
    if "concurrency" in settings or "others" in settings:
        account.share_pool(
            concurrency=int(settings.get("concurrency", account.concurrency)),
            others=int(settings.get("others", account.others)),
        )
    if "job_seconds" in settings:
        account.jobs.seconds = float(settings["job_seconds"])
    if "denied" in settings:
        account.denied = frozenset(str(name) for name in settings["denied"])
    if "latency" in settings:
        account.latency = float(settings["latency"])
    if "sales_order_status" in settings:
        if settings["sales_order_status"] not in (orders.PENDING_APPROVAL, orders.APPROVED):
            raise ValueError("settings: `sales_order_status` is A (to be approved) or B (approved)")
        account.order_status = str(settings["sales_order_status"])
    if settings.get("revoke_tokens"):
        account.tokens.revoke_all()


def _period(account: Account, wanted: str, *, closed: bool) -> None:
    for period in account.references.kinds["accountingPeriod"].values():
        if wanted in (period.id, period.name):
            period.facts["closed"] = closed
            return
    raise ValueError(f"there is no accounting period {wanted!r}")


def _customer(account: Account, place: int, entry: Mapping[str, Any]) -> tuple[str | None, str]:
    body = dict(entry)
    more = body.pop("currencies", [])
    if isinstance(body.get("currency"), str):
        body["currency"] = {"id": account.references.currency(body["currency"]).id}
    if more:
        items = [{"currency": {"id": account.references.currency(str(currency)).id}} for currency in more]
        body["currencyList"] = {"items": items}
    try:
        change = account.reader.read(RECORD_TYPES["customer"], body, names="error")
        document = writing.create(account, "customer", change)
    except Refusal as refusal:
        raise ValueError(f"customers[{place}]: {refusal.detail}") from refusal
    return document.external_id, document.id


def _record(account: Account, place: int, entry: Mapping[str, Any]) -> None:
    shape = record_type(str(entry.get("type")))
    if shape is None:
        raise ValueError(f"records[{place}]: there is no record type {entry.get('type')!r}")
    body = {name: value for name, value in entry.items() if name not in ("type", "id")}
    following = account.documents.count_from(shape.name, int(entry["id"])) if "id" in entry else None
    try:
        writing.create(account, shape.name, account.reader.read(shape, body, names="error"))
    except Refusal as refusal:
        raise ValueError(f"records[{place}]: {refusal.detail}") from refusal
    finally:
        if following is not None:
            account.documents.count_from(shape.name, following)


def _change(account: Account, place: int, entry: Mapping[str, Any]) -> None:
    shape = record_type(str(entry.get("type")))
    known = account.documents.get(shape.name, str(entry.get("id"))) if shape is not None else None
    if shape is None or known is None:
        raise ValueError(f"changes[{place}]: there is no {entry.get('type')!r} with the id {entry.get('id')!r}")
    body = {name: value for name, value in entry.items() if name not in ("type", "id")}
    try:
        change = account.reader.read(shape, body, names="error")
        writing.update(account, known, change, replace=change.sublists.keys())
    except Refusal as refusal:
        raise ValueError(f"changes[{place}]: {refusal.detail}") from refusal


def _refuse_unknown(given: Mapping[str, Any], known: frozenset[str]) -> None:
    surplus = set(given) - known
    if surplus:
        raise ValueError(f"unknown key {', '.join(sorted(surplus))}; known are {', '.join(sorted(known))}")
