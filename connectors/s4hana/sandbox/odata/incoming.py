"""Bodies of requests: JSON of v2 or v4 as values and nodes of a deep insert.

What `$metadata` does not declare is refused: names, types, lengths, nothing where there must be something, and what
only SAP determines.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from connectors.s4hana.sandbox.edm.model import EntitySet, Property, Service
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads the entities of one request.

    `making` tells a creation, which may go deep, from a change. With `lenient` what only SAP determines is passed over,
    as the standard has it; else it is refused. `call` is the request itself; None for what is seeded, which is v2.
    """

    service: Service
    making: bool = True
    lenient: bool = True
    call: Call | None = None

    def node(self, body: dict[str, Any], entity_set: EntitySet, inherited: Collection[str] = ()) -> Node:
        """Read an entity with those below it; raises `Refusal` that names the property, and where it is in the body.

        `inherited` are the columns of its key that it has from the entity above it.
        """
        node = Node(entity_set=entity_set, values={})
        for name, value in body.items():
            if name == "__metadata" or "@" in name or name == "SAP__Messages":
                continue
            if name in entity_set.navigations:
                navigation = entity_set.navigations[name]
                given = _children(name, value, many=navigation.many)
                if given and not self.making:
                    raise Refusal("Deep update is not supported: change the entities one by one.", target=name)
                if given and not self.service.makes_below(navigation):
                    raise Refusal(f"Property '{name}' is read-only", target=name)
                target = self.service.sets[navigation.target]
                node.children.append((navigation, [self.node(each, target, navigation.columns) for each in given]))
                continue
            property_ = entity_set.properties.get(name)
            if property_ is None:
                raise Refusal(f"Property '{name}' is invalid", code=NO_PROPERTY, target=name)
            read = self._value(property_, value)
            if not self.lenient and not self._may_give(property_, inherited):
                raise Refusal(f"Property '{name}' is read-only", target=name)
            if property_.creatable or property_.key:
                node.values[property_.column] = read
        if self.making:
            for property_ in entity_set.properties.values():
                if property_.required and property_.name not in body:
                    raise Refusal(f"Property '{property_.name}' is required.", target=property_.name)
        return node

    def _may_give(self, property_: Property, inherited: Collection[str]) -> bool:
        if property_.key and (not self.making or property_.column in inherited):
            # It only repeats what the address says.
            return True
        return property_.creatable if self.making else property_.updatable

    def _value(self, property_: Property, value: Any) -> Any:
        try:
            if value is None and not self.service.nullable(property_):
                raise NotAValue("null")
            if not self.service.v4:
                return from_v2(property_, value)
            return from_v4(property_, value, as_text=self._texts())
        except NotAValue:
            raw = b"" if self.call is None else self.call.body
            name = property_.name
            place = raw.find(f'"{name}"'.encode())
            where = f" at offset '{place + len(name) + 2}'" if place >= 0 else ""
            raise Refusal(f"Property '{name}'{where} has invalid value '{value}'", target=name) from None

    def _texts(self) -> bool:
        """Tell whether decimals of v4 come as texts, which the type of the content says."""
        kind = "" if self.call is None else self.call.headers.get("content-type", "")
        return "ieee754compatible=true" in kind.lower().replace(" ", "")


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
