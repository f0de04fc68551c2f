"""Judges requests by a metadata document alone: by the sandbox's own, or by SAP's.

It knows no more of OData than what a well-behaved client sends; whatever else comes is told as not understood.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from email import message_from_bytes
from email.message import Message
from functools import cache
from typing import Any, cast
from urllib.parse import unquote

from connectors.s4hana.sandbox.edm.csdl import csdl
from connectors.s4hana.sandbox.edm.edmx import edmx
from connectors.s4hana.sandbox.edm.reading import catalogue
from hub.sandbox.request_log import Entry
from tests.connectors.s4hana.metadata import Document, EntitySet, Property, read

_KEY = re.compile(r"(?:(\w+)=)?((?:[a-z]+)?'(?:[^']|'')*'|[\w.:-]+)(?:,|$)")
_SEGMENT = re.compile(r"(\$?\w+)(?:\((.*)\))?")
_TOKEN = re.compile(r"\s*((?:[a-z]+)?'(?:[^']|'')*'|[\w.:+-]+|[(),])")
_LITERALS = {
    "DateTime": re.compile(r"datetime'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?'"),
    "Date": re.compile(r"datetime'\d{4}-\d\d-\d\dT00:00:00'"),
    "DateTimeOffset": re.compile(r"datetimeoffset'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z'"),
    "Time": re.compile(r"time'PT(\d+H)?(\d+M)?(\d+S)?'"),
    "Guid": re.compile(r"guid'[0-9a-f-]{36}'"),
    "Decimal": re.compile(r"-?\d+(\.\d+)?M"),
    "Boolean": re.compile(r"true|false"),
}
_LITERALS_V4 = {
    "Date": re.compile(r"\d{4}-\d\d-\d\d"),
    "DateTimeOffset": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,12})?Z"),
    "TimeOfDay": re.compile(r"\d\d:\d\d:\d\d"),
    "Guid": re.compile(r"[0-9a-f-]{36}"),
    "Decimal": re.compile(r"-?\d+(\.\d+)?"),
    "Boolean": re.compile(r"true|false"),
}
#: Values in bodies, where they are not texts or numbers.
_TICKS = re.compile(r"/Date\((-?\d+)(\+0000)?\)/")
_OPTIONS = {
    False: {"$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$skiptoken", "$inlinecount", "$format"},
    True: {"$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$skiptoken", "$count"},
}
_COMPARISONS = {"eq", "ne", "gt", "ge", "lt", "le"}
_FUNCTIONS = {False: {"substringof", "startswith", "endswith"}, True: {"contains", "startswith", "endswith"}}
_DAY = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: `path` is below the root of the service; names of headers are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str]
    body: bytes = b""


class Judge:
    """Judges requests to one service."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def findings(self, asked: Asked) -> Iterator[str]:
        """Tell what of a request the metadata does not allow."""
        for one in self._unpacked(asked):
            yield from (f"{one.method} {one.path}: {finding}" for finding in self._one(one))

    def _unpacked(self, asked: Asked) -> Iterator[Asked]:
        if asked.path != "$batch":
            yield asked
            return
        kind = asked.headers.get("content-type", "")
        if kind.startswith("application/json"):
            for each in json.loads(asked.body)["requests"]:
                path, _, query = each["url"].partition("?")
                headers = {name.lower(): value for name, value in each.get("headers", {}).items()}
                body = json.dumps(each["body"]).encode() if "body" in each else b""
                yield Asked(method=each["method"].upper(), path=path, query=query, headers=headers, body=body)
            return
        yield from _parts(message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + asked.body))

    def _one(self, asked: Asked) -> Iterator[str]:
        if asked.path in ("", "$metadata"):
            return
        pairs = [(name, unquote(value)) for name, _, value in (each.partition("=") for each in _cut(asked.query, "&"))]
        segments = [_SEGMENT.fullmatch(unquote(each)) for each in asked.path.split("/")]
        if not all(segments):
            yield "the address is not understood"
            return
        (name, key), *rest = [(each[1], each[2]) for each in segments if each is not None]
        if name in self._document.functions:
            yield from self._function(name, asked.method, pairs)
            return
        entity_set = self._document.sets.get(name)
        if entity_set is None:
            yield f"{name} is not declared"
            return
        yield from self._key(entity_set, key)
        inherited: Collection[str] = ()
        below = False
        for navigation, key in rest:
            found = self._document.behind(entity_set, navigation)
            if found is None:
                yield f"{entity_set.name} has no {navigation}"
                return
            below = not self._document.v4 or navigation in entity_set.makes
            inherited, entity_set = entity_set.keys, found[0]
            yield from self._key(entity_set, key)
        if asked.method in ("GET", "HEAD"):
            yield from self._options(entity_set, dict(pairs))
        elif pairs:
            yield f"options {pairs} of a write are not understood"
        else:
            yield from self._write(entity_set, asked, below=below, inherited=inherited)

    def _key(self, entity_set: EntitySet, text: str | None) -> Iterator[str]:
        if text is None:
            return
        parts = _KEY.findall(text)
        names = [name or entity_set.keys[0] for name, _ in parts]
        if names != list(entity_set.keys):
            yield f"the key of {entity_set.name} has the properties {names}"
            return
        for name, value in parts:
            yield from self._literal(entity_set.properties[name or entity_set.keys[0]], value)

    def _literal(self, known: Property, value: str) -> Iterator[str]:
        if known.type == "String":
            if value[:1] != "'" or value[-1:] != "'":
                yield f"{known.name} is compared with {value}, which is no text"
            elif known.length is not None and len(value[1:-1].replace("''", "'")) > known.length:
                yield f"{known.name} is compared with {value}, which is longer than {known.length}"
            return
        form = (_LITERALS_V4 if self._document.v4 else _LITERALS).get(known.type)
        if form is None or form.fullmatch(value) is None:
            yield f"{known.name} is compared with {value}, which is no {known.type}"

    def _function(self, name: str, method: str, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
        wanted, parameters = self._document.functions[name]
        if method != wanted:
            yield f"{name} is called by {method}"
        given = dict(pairs)
        if given.keys() != parameters.keys():
            yield f"{name} is called with {sorted(given)}"
        for each in given.keys() & parameters.keys():
            yield from self._literal(parameters[each], given[each])

    # --- options ---

    def _options(self, entity_set: EntitySet, options: Mapping[str, str]) -> Iterator[str]:
        unknown = options.keys() - _OPTIONS[self._document.v4]
        if unknown:
            yield f"options {sorted(unknown)} are not there"
        expanded = set(self._expanded(options.get("$expand", "")))
        for path, inner in expanded:
            found: tuple[EntitySet, bool] | None = (entity_set, False)
            for step in path.split("/"):
                found = self._document.behind(found[0], step) if found else None
            if found is None:
                yield f"{path} is expanded and not declared"
            elif inner:
                yield from self._options(found[0], dict(each.partition("=")[::2] for each in _cut(inner, ";")))
        paths = {path for path, _ in expanded}
        for path in filter(None, options.get("$select", "").split(",")):
            yield from self._selected(entity_set, path, paths)
        for part in filter(None, options.get("$orderby", "").split(",")):
            known = entity_set.properties.get(part.partition(" ")[0])
            if known is None or not known.sortable:
                yield f"{part} cannot be sorted by"
        if options.get("$filter"):
            yield from self._filter(entity_set, options["$filter"])

    def _expanded(self, text: str) -> Iterator[tuple[str, str]]:
        for part in _cut(text, ","):
            name, _, inner = part.partition("(")
            yield name, inner[:-1]

    def _selected(self, entity_set: EntitySet, path: str, expanded: Collection[str]) -> Iterator[str]:
        *steps, name = path.split("/")
        found: EntitySet | None = entity_set
        for step in steps:
            behind = self._document.behind(found, step) if found else None
            found = behind[0] if behind else None
        if found is None or not (name == "*" or name in found.properties or name in found.navigations):
            yield f"{path} is selected and not declared"
        elif steps and not any(each == "/".join(steps) or each.startswith("/".join(steps) + "/") for each in expanded):
            yield f"{path} is selected and not expanded"

    def _filter(self, entity_set: EntitySet, text: str) -> Iterator[str]:
        tokens = _TOKEN.findall(text)
        if "".join(tokens) != re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", text):
            yield f"the filter {text} is not understood"
            return
        place = 0
        while place < len(tokens):
            token = tokens[place]
            if token in ("(", ")", "and", "or"):
                place += 1
            elif token in _FUNCTIONS[self._document.v4] and tokens[place + 1] == "(":
                one, other = tokens[place + 2], tokens[place + 4]
                name, value = (other, one) if token == "substringof" else (one, other)
                yield from self._compared(entity_set, name, token, value)
                place += 6
            elif place + 2 < len(tokens) and tokens[place + 1] in _COMPARISONS:
                yield from self._compared(entity_set, token, tokens[place + 1], tokens[place + 2])
                place += 3
            else:
                yield f"the filter {text} is not understood"
                return

    def _compared(self, entity_set: EntitySet, name: str, operator: str, value: str) -> Iterator[str]:
        known = entity_set.properties.get(name)
        if known is None or not known.filterable:
            yield f"{name} cannot be filtered by"
        elif known.by_value and operator != "eq":
            yield f"{name} cannot be compared by {operator}"
        elif value == "null":
            if not known.null:
                yield f"{name} is never null"
        elif operator not in _COMPARISONS and known.type != "String":
            yield f"{name} is no text"
        else:
            yield from self._literal(known, value)

    # --- bodies ---

    def _write(self, entity_set: EntitySet, asked: Asked, *, below: bool, inherited: Collection[str]) -> Iterator[str]:
        needed = {"POST": "creatable", "PATCH": "updatable", "DELETE": "deletable"}.get(asked.method)
        if needed is None:
            yield "the method is not understood"
            return
        if needed in entity_set.closed and not (needed == "creatable" and below):
            yield f"{entity_set.name} is not {needed}"
        if asked.method != "POST" and entity_set.etag and not asked.headers.get("if-match"):
            yield "it names no version"
        if asked.method == "DELETE":
            return
        if "json" not in asked.headers.get("accept", ""):
            yield "it does not ask for JSON"
        texts = "ieee754compatible=true" in asked.headers.get("content-type", "").lower()
        body = json.loads(asked.body, parse_float=Decimal)
        yield from self._entity(entity_set, body, inherited, making=asked.method == "POST", texts=texts)

    def _entity(
        self, entity_set: EntitySet, body: Any, inherited: Collection[str], *, making: bool, texts: bool
    ) -> Iterator[str]:
        if not isinstance(body, dict):
            yield f"{entity_set.name} is given as {body}"
            return
        for name, value in body.items():
            found = self._document.behind(entity_set, name)
            if found is not None:
                target, many = found
                rows = value if many and isinstance(value, list) else [value]
                allowed = not self._document.v4 or name in entity_set.makes
                if not making or not allowed or many is not isinstance(value, list):
                    yield f"{name} is given as {value}"
                for row in rows:
                    yield from self._entity(target, row, entity_set.keys, making=making, texts=texts)
                continue
            known = entity_set.properties.get(name)
            if known is None:
                yield f"{entity_set.name} has no {name}"
                continue
            if not (known.key and name in inherited) and not (known.creatable if making else known.updatable):
                yield f"{entity_set.name}.{name} is read-only"
            if not self._holds(known, value, texts=texts):
                yield f"{entity_set.name}.{name} cannot be {value!r}"
        missing = [each.name for each in entity_set.properties.values() if each.required and each.name not in body]
        if making and missing:
            yield f"{entity_set.name} needs {missing}"

    def _holds(self, known: Property, value: Any, *, texts: bool) -> bool:
        if value is None:
            return known.null
        match known.type:
            case "String":
                return isinstance(value, str) and (known.length is None or len(value) <= known.length)
            case "Boolean":
                return isinstance(value, bool)
            case "Decimal":
                exact = isinstance(value, str) if texts or not self._document.v4 else not isinstance(value, str)
                return exact and _fits(known, value)
            case "Date" if not self._document.v4:
                ticks = _TICKS.fullmatch(value) if isinstance(value, str) else None
                return ticks is not None and int(ticks[1]) % _DAY == 0
            case "DateTime" | "DateTimeOffset" if not self._document.v4:
                return isinstance(value, str) and _TICKS.fullmatch(value) is not None
            case "Time":
                return isinstance(value, str) and re.fullmatch(r"PT(\d+H)?(\d+M)?(\d+S)?", value) is not None
            case kind:
                form = _LITERALS_V4.get(kind)
                return isinstance(value, str) and form is not None and form.fullmatch(value) is not None


def _fits(known: Property, value: Any) -> bool:
    """Tell whether a number has no more digits than its property, before the point and behind it."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return False
    precision = known.precision or 0
    scale = precision if known.scale == "variable" else int(known.scale or 0)
    places = max(0, -int(number.as_tuple().exponent)) if number.is_finite() else precision + 1
    whole = len(str(abs(int(number)))) if number.is_finite() and abs(number) >= 1 else 0
    return places <= scale and whole + (places if known.scale == "variable" else scale) <= precision


def of_log(entries: Iterable[Entry]) -> Iterator[tuple[str, Asked]]:
    """Give the OData requests that a sandbox has logged, each with the name of its service."""
    for entry in entries:
        path, _, query = entry.path.partition("?")
        service, below = _served(unquote(path) if "(" not in path else path)
        if service:
            yield (
                service,
                Asked(method=entry.method, path=below, query=query, headers=_told(entry.body), body=entry.body),
            )


def _served(path: str) -> tuple[str, str]:
    """Give service and path below its root; empty for what is no OData."""
    for service in catalogue().values():
        root = f"/sap/opu/odata4/sap/{service.path}" if service.v4 else f"/sap/opu/odata/sap/{service.name}"
        if path == root or path.startswith(f"{root}/"):
            return service.name, path[len(root) + 1 :]
    return "", ""


def _told(body: bytes) -> dict[str, str]:
    """Give the headers that go with a body: the log has none."""
    if body.startswith(b"--"):
        boundary = body[2:].partition(b"\r\n")[0].decode()
        return {"content-type": f"multipart/mixed; boundary={boundary}", "accept": "multipart/mixed"}
    return {"content-type": "application/json;IEEE754Compatible=true", "accept": "application/json"}


def judged(entries: Iterable[Entry], documents: Callable[[str], Document]) -> list[str]:
    """Tell what of the logged requests the metadata does not allow; `documents` gives that of a service."""
    judges: dict[str, Judge] = {}
    found: list[str] = []
    for service, asked in of_log(entries):
        judge = judges.setdefault(service, Judge(documents(service)))
        found += [f"{service}: {finding}" for finding in judge.findings(asked)]
    return sorted(set(found))


@cache
def published(service: str) -> Document:
    """Give what the sandbox's service says of itself."""
    described = catalogue()[service]
    return read((csdl if described.v4 else edmx)(described).encode())


def _parts(message: Message) -> Iterator[Asked]:
    """Give the requests of a multipart batch, those of its change sets too."""
    for part in cast(list[Message], message.get_payload()):
        if part.is_multipart():
            yield from _parts(part)
            continue
        text = cast(bytes, part.get_payload(decode=True))
        line, _, rest = text.partition(b"\r\n")
        method, address, _ = line.decode().split(" ")
        path, _, query = address.partition("?")
        inner = message_from_bytes(rest)
        headers = {name.lower(): value for name, value in inner.items()}
        body = cast(bytes, inner.get_payload(decode=True)).strip()
        yield replace(Asked(method=method, path=path, headers=headers), query=query, body=body)


def _cut(text: str, mark: str) -> list[str]:
    """Cut at marks outside of brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for place, sign in enumerate(text):
        if sign == "'":
            quoted = not quoted
        elif not quoted and sign in "()":
            depth += 1 if sign == "(" else -1
        elif not quoted and not depth and sign == mark:
            parts.append(text[start:place])
            start = place + 1
    return [part for part in [*parts, text[start:]] if part]
