"""Requests as Gateway takes them, in either version. No credentials, tokens or cookies: these go on at each attempt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from connectors.s4hana.odata.literals import key_of, text_literal
from connectors.s4hana.odata.model import EntitySet
from hub.sdk.exact_json import canonical
from hub.sdk.values import Request

#: The type of bodies, by version. In v4, decimals are texts only where that is said.
KIND = {2: "application/json", 4: "application/json;IEEE754Compatible=true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change: `path` is below the service, `match` the ETag that must stand (`*`: any), or empty."""

    method: str
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    match: str = ""


def entity_path(entity: EntitySet, key: Mapping[str, Any]) -> str:
    """Give the address of an entity below its service, such as `A_SalesOrder('1')`."""
    return f"{entity.name}({key_of(entity, key)})"


def reading(base: str, entity: EntitySet, path: str, options: Mapping[str, str]) -> Request:
    """Form a read; `options` are given without the `$`."""
    query = "&".join(f"${name}={quote(value, safe=_SAFE)}" for name, value in options.items() if value)
    url = f"{base}{entity.root}/{path}" + (f"?{query}" if query else "")
    return following(entity, url)


def following(entity: EntitySet, url: str) -> Request:
    """Form the read of an address that SAP gave."""
    return Request(method="GET", url=url, headers={"accept": KIND[entity.version]})


#: Signs that may stand in a query as they are; everything else is encoded.
_SAFE = "/,()':*~-._"


def one(base: str, entity: EntitySet, key: Mapping[str, Any], *, deep: Sequence[str] | None = None) -> Request:
    """Form the read of one entity with what is behind the paths of `deep`; None: all that are declared.

    It shows every property that it and its parts have, so that one that a release adds is seen.
    """
    return reading(base, entity, entity_path(entity, key), shown(entity, deep))


def many(
    base: str,
    entity: EntitySet,
    *,
    filter: str = "",
    order: str = "",
    top: int | None = None,
    skip: int = 0,
    deep: Sequence[str] = (),
    select: Collection[str] | None = None,
) -> Request:
    """Form the read of a collection, which also tells how many rows there are, so that none is missed unseen.

    Rows show all properties that they and their parts have, or those that `select` names of them and what is declared
    of their parts. A set that adds up shows what is declared: over what is not named it would add up.
    """
    options = {"filter": filter, "orderby": order, "top": "" if top is None else str(top), "skip": str(skip or "")}
    counted = {"inlinecount": "allpages"} if entity.version == 2 else {"count": "true"}
    chosen = entity.properties if select is None and entity.aggregate else select
    return reading(base, entity, entity.name, {**options, **counted, **shown(entity, deep, chosen)})


def shown(entity: EntitySet, deep: Sequence[str] | None, select: Collection[str] | None = None) -> dict[str, str]:
    """Give the options that name what an answer shows, along the paths that are expanded; None: all that there is."""
    paths = [(path, target) for path, target in entity.paths() if deep is None or path in deep]
    head = [] if select is None else [name for name in select if entity.kind(name)]
    if entity.version == 4:
        return {"select": ",".join(head), "expand": _expanded(entity, {path for path, _ in paths})}
    # In v2 what is expanded is shown only where a selection names it too.
    below = [f"{path}/{name}" for path, target in paths for name in target.properties if head]
    return {"select": ",".join(head + below), "expand": ",".join(path for path, _ in paths)}


def _expanded(entity: EntitySet, paths: Collection[str], above: str = "") -> str:
    """Give what v4 expands: each navigation, in brackets within those of the one above it."""
    parts = []
    for name in entity.navigations:
        if f"{above}{name}" in paths:
            target, _ = entity.behind(name)
            below = _expanded(target, paths, f"{above}{name}/")
            parts.append(f"{name}($expand={below})" if below else name)
    return ",".join(parts)


def creating(base: str, entity: EntitySet, body: Mapping[str, Any]) -> Request:
    """Form the creation of an entity, with all that is to be made below it."""
    return Request(
        method="POST", url=f"{base}{entity.root}/{entity.name}", headers=headers(entity), body=canonical(body)
    )


def calling(base: str, entity: EntitySet, function: str, given: Mapping[str, str]) -> Request:
    """Form the call of a function import that changes something; its parameters are texts."""
    query = "&".join(f"{name}={quote(text_literal(value), safe=_SAFE)}" for name, value in given.items())
    return Request(
        method="POST", url=f"{base}{entity.root}/{function}?{query}", headers={"accept": KIND[entity.version]}
    )


def headers(entity: EntitySet) -> dict[str, str]:
    """Give the headers of a write with a body."""
    return {"accept": KIND[entity.version], "content-type": KIND[entity.version]}
