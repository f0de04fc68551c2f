"""Bodies of requests: JSON of v2 or v4 as values and nodes of a deep insert; everything unknown is refused."""

from __future__ import annotations

from typing import Any

from connectors.s4hana.sandbox.edm.model import EntitySet, Service
from connectors.s4hana.sandbox.edm.values import NotAValue, from_v2, from_v4
from connectors.s4hana.sandbox.odata.entities import Node
from connectors.s4hana.sandbox.odata.errors import NO_PROPERTY, Refusal
from connectors.s4hana.sandbox.odata.exchange import Call
from hub.sandbox.exact_json import loads


def read_body(call: Call) -> dict[str, Any]:
    """Read a request's JSON object; raises `Refusal`."""
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", ""):
        raise Refusal(
            f"Content type '{kind}' is not supported by this sandbox; send application/json.",
            code="/IWFND/CM_MGW/415",
            status=415,
        )
    try:
        body = loads(call.body)
    except ValueError as error:
        raise Refusal(f"Error during parsing of the request body: {error}", code="/IWBEP/CM_MGW_RT/016") from None
    if not isinstance(body, dict):
        raise Refusal("The request body is not a JSON object.", code="/IWBEP/CM_MGW_RT/016")
    # Some clients repeat the envelope in which v2 answers.
    inner = body.get("d")
    return inner if len(body) == 1 and isinstance(inner, dict) else body


def node_of(
    body: dict[str, Any], service: Service, entity_set: EntitySet, *, deep: bool = True, raw: bytes = b""
) -> Node:
    """Read an entity with those below it; raises `Refusal` that names the property, and where it is in `raw`."""
    node = Node(entity_set=entity_set, values={})
    for name, value in body.items():
        if name == "__metadata" or "@" in name or name == "SAP__Messages":
            continue
        if name in entity_set.navigations:
            navigation = entity_set.navigations[name]
            given = _children(name, value, many=navigation.many)
            if given and not deep:
                raise Refusal("Deep update is not supported: change the entities one by one.", target=name)
            target = service.sets[navigation.target]
            node.children.append((navigation, [node_of(each, service, target, raw=raw) for each in given]))
            continue
        property_ = entity_set.properties.get(name)
        if property_ is None:
            raise Refusal(f"Property '{name}' is invalid", code=NO_PROPERTY, target=name)
        try:
            read = (from_v4 if service.v4 else from_v2)(property_, value)
        except NotAValue:
            place = raw.find(f'"{name}"'.encode())
            where = f" at offset '{place + len(name) + 2}'" if place >= 0 else ""
            raise Refusal(f"Property '{name}'{where} has invalid value '{value}'", target=name) from None
        # What SAP determines by itself is passed over, as Gateway does it.
        if property_.creatable or property_.key:
            node.values[property_.column] = read
    return node


def _children(name: str, value: Any, *, many: bool) -> list[dict[str, Any]]:
    if isinstance(value, dict) and "__deferred" in value:
        return []
    if value is None:
        return []
    if isinstance(value, dict) and set(value) == {"results"}:
        value = value["results"]
    if isinstance(value, dict) and not many:
        value = [value]
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Refusal(f"Property '{name}' is invalid", target=name)
    return value
