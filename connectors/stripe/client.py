"""How Stripe is spoken to: addresses, headers, forms with brackets, pages, and reading an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote, urlencode

from connectors.stripe.settings import StripeSettings
from hub.sdk.calls import Course
from hub.sdk.errors import FixConnection, FixData, OutcomeUnknown
from hub.sdk.exact_json import canonical, loads
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Request, Response

#: The most items of one page.
PAGE_SIZE = 100


def settings_of(session: Session) -> StripeSettings:
    """Give a session's settings with their type."""
    return cast(StripeSettings, session.settings)


def reading(settings: StripeSettings, *segments: str, query: Mapping[str, Any] | None = None) -> Request:
    """Form a read; every segment is escaped, so that no id can leave its place."""
    suffix = f"?{urlencode(list(fields(query)))}" if query else ""
    return Request(method="GET", url=_address(settings, segments) + suffix, headers=_headers(settings, segments))


def writing(settings: StripeSettings, *segments: str, form: Mapping[str, Any], key: EffectKey) -> Request:
    """Form a write under an idempotency key, which Stripe remembers for at least 24 hours."""
    return Request(
        method="POST",
        url=_address(settings, segments),
        headers={
            "content-type": "application/x-www-form-urlencoded",
            "idempotency-key": key,
            **_headers(settings, segments),
        },
        body=urlencode(list(fields(form))).encode(),
    )


def ending(settings: StripeSettings, *segments: str, query: Mapping[str, Any]) -> Request:
    """Form a write that ends an object, for which Stripe keeps no keys; every segment is escaped."""
    suffix = f"?{urlencode(list(fields(query)))}"
    return Request(method="DELETE", url=_address(settings, segments) + suffix, headers=_headers(settings, segments))


def writing_json(settings: StripeSettings, *segments: str, body: Mapping[str, Any], key: EffectKey) -> Request:
    """Form a write to the second API (`segments` begin with `v2`), which remembers a key for 30 days."""
    asked = asking_json(settings, *segments, body=body)
    return replace(asked, headers={**asked.headers, "idempotency-key": key})


def asking_json(settings: StripeSettings, *segments: str, body: Mapping[str, Any]) -> Request:
    """Form a `POST` to the second API that needs no key."""
    return Request(
        method="POST",
        url=_address(settings, segments),
        headers={"content-type": "application/json", **_headers(settings, segments)},
        body=canonical(body),
    )


def fields(form: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """Give a form's fields in Stripe's notation (`created[gte]`, `types[0]`), sorted; None clears a field.

    Raises `FixData` for a float, which no field of Stripe is.
    """
    for name in sorted(form):
        yield from _field(f"{within}[{name}]" if within else name, form[name])


def read_object(response: Response, kind: str) -> dict[str, Any]:
    """Read an answer that must be an object of this kind (`invoice`, `list`, `search_result`, …).

    Anything else under a 2xx status, such as a proxy's login page, does not come from Stripe: `OutcomeUnknown`.
    """
    try:
        value = loads(response.body)
    except FixData as error:
        raise OutcomeUnknown("The answer is not JSON.", code="unreadable-answer", status=response.status) from error
    if not isinstance(value, dict) or value.get("object") != kind:
        raise OutcomeUnknown(f"The answer is not a Stripe {kind}.", code="unreadable-answer", status=response.status)
    if kind not in {"list", "search_result"} and not isinstance(value.get("id"), str):
        raise OutcomeUnknown(f"The {kind} has no id.", code="unreadable-answer", status=response.status)
    return value


async def pages(session: Session, *segments: str, query: Mapping[str, Any]) -> AsyncIterator[Sequence[dict[str, Any]]]:
    """Give a list page by page, in the order Stripe gives it, until there is no more.

    A page that does not lead on, such as one that a cache gives again, is `OutcomeUnknown`: the list would never end.
    """
    wanted: dict[str, Any] = {"limit": PAGE_SIZE, **query}
    while True:
        answer = read_object(await session.send(reading(settings_of(session), *segments, query=wanted)), "list")
        items = answer.get("data")
        if not isinstance(items, list) or not all(_has_id(item) for item in items):
            raise OutcomeUnknown("The page cannot be read.", code="unreadable-answer")
        if any(item["id"] == wanted.get("starting_after") for item in items):
            raise OutcomeUnknown("A page of the list came again.", code="unreadable-answer")
        yield items
        if answer.get("has_more") is not True or not items:
            return
        wanted["starting_after"] = items[-1]["id"]


def listed(settings: StripeSettings, *segments: str, query: Mapping[str, Any]) -> Course[Sequence[dict[str, Any]]]:
    """Go through a list page by page, in the order Stripe gives it; gives all of it."""
    found: list[dict[str, Any]] = []
    wanted: dict[str, Any] = {"limit": PAGE_SIZE, **query}
    while True:
        answer = read_object((yield reading(settings, *segments, query=wanted)), "list")
        items = answer.get("data")
        if not isinstance(items, list) or not all(_has_id(item) for item in items):
            raise OutcomeUnknown("The page cannot be read.", code="unreadable-answer")
        found.extend(items)
        if answer.get("has_more") is not True or not items:
            return found
        wanted["starting_after"] = items[-1]["id"]


async def ping(session: Session) -> Mapping[str, str]:
    """Read one event, which needs a good key with the right the hub needs most; gives whose account it is.

    Raises `FixConnection` as `wrong-account` where the settings say another than the key belongs to. A restricted key
    may have no right to read the account: then nobody knows, unless the settings want to.
    """
    settings = settings_of(session)
    read_object(await session.send(reading(settings, "events", query={"limit": 1})), "list")
    wanted = settings.account or settings.own_account
    try:
        found = read_object(await session.send(reading(settings, "account")), "account")
    except FixConnection as refused:
        if refused.facts.get("status") != 403:
            raise
        if settings.own_account is None:
            return {}
        raise FixConnection(
            "The key has no right to read its account, so that nobody can tell whether it is the right one.",
            code="account-not-readable",
            advice="Give the restricted key the right to read accounts, or take `own_account` out of the settings.",
        ) from refused
    if wanted is not None and found["id"] != wanted:
        raise FixConnection(
            "The key belongs to another account than the settings say.",
            code="wrong-account",
            advice="Take a key of the account that is meant, or name this one as `own_account`.",
            account=found["id"],
            expected=wanted,
        )
    profile = found.get("business_profile")
    name = profile.get("name") if isinstance(profile, dict) else None
    told = {"account": found["id"], "name": name, "country": found.get("country")}
    return {each: text for each, text in told.items() if isinstance(text, str) and text}


def _address(settings: StripeSettings, segments: Sequence[str]) -> str:
    path = "/".join(quote(segment, safe="") for segment in segments)
    return f"{settings.base_url}/{path}" if segments[0] == "v2" else f"{settings.base_url}/v1/{path}"


def _headers(settings: StripeSettings, segments: Sequence[str]) -> dict[str, str]:
    """Give the version, and the connected account that is meant, which each API calls by a name of its own."""
    headers = {"stripe-version": settings.api_version}
    if settings.account is not None:
        headers["stripe-context" if segments[0] == "v2" else "stripe-account"] = settings.account
    return headers


def _field(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from fields(value, name)
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _field(f"{name}[{place}]", item)
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif isinstance(value, float):
        raise FixData("Money is never a float.", code="float-money", field=name)
    elif isinstance(value, Decimal):
        # Stripe reads neither exponents nor `5000.0` where it wants a whole number.
        yield name, f"{value.normalize():f}"
    else:
        yield name, "" if value is None else str(value)


def _has_id(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str)
