"""What Gateway's answers hold: entities and pages in the envelope of either version, and the reason of a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from connectors.s4hana.odata.model import EntitySet
from connectors.s4hana.odata.values import read_entity
from hub.sdk.answers import read_object
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.limit_headers import retry_after
from hub.sdk.values import Response

#: The code of a record of which some parts are on a further page.
IN_PAGES = "parts-in-pages"
_LONGEST_CODE, _LONGEST_TEXT = 80, 400
Reading = Callable[[EntitySet, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Part of a collection, the address of the next part (None behind the last), and how many rows there are in all."""

    rows: list[dict[str, Any]]
    next: str | None
    count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why Gateway refused: its code (`V1/302`), the message, the property, and whether the error is SAP's at all."""

    code: str = ""
    text: str = ""
    target: str = ""
    known: bool = False

    @property
    def facts(self) -> dict[str, str]:
        """Give what a person needs to know of it."""
        told = {"error": self.code, "reason": self.text, "property": self.target}
        return {name: value for name, value in told.items() if value}


def envelope(response: Response, version: int) -> dict[str, Any]:
    """Give what an answer of either version wraps; `OutcomeUnknown` for one that is not Gateway's."""
    body = read_object(response)
    inner = body.get("d") if version == 2 else body
    if not isinstance(inner, dict):
        raise OutcomeUnknown("The answer is not Gateway's.", code="unreadable-answer", status=response.status)
    return inner


def raw_entity(entity: EntitySet, response: Response) -> dict[str, Any]:
    """Give an entity as it came; `OutcomeUnknown` for what has not all of its key."""
    value = envelope(response, entity.version)
    _assert_keyed(entity, value, "The answer is not an entity.")
    _assert_whole(entity, value)
    return value


def claimed_entity(entity: EntitySet, response: Response) -> dict[str, Any]:
    """Give what came for an entity, also without its key, to be compared with a schema."""
    value = envelope(response, entity.version)
    _assert_of(entity, value)
    _assert_whole(entity, value)
    return value


def _assert_keyed(entity: EntitySet, value: Mapping[str, Any], said: str) -> None:
    for name in entity.keys:
        if not isinstance(value.get(name), str):
            raise unreadable(entity, name, value.get(name), said)


def _assert_of(entity: EntitySet, value: Mapping[str, Any]) -> None:
    """Refuse what has nothing that a set declares: whoever compared it would miss all of it."""
    if not value.keys() & entity.properties.keys():
        raise OutcomeUnknown("The answer is not an entity.", code="unreadable-answer", set=entity.name)


def unreadable(entity: EntitySet, name: str, value: Any, said: str) -> OutcomeUnknown:
    """Make the error of a property that is gone or is another thing."""
    return OutcomeUnknown(said, code="unreadable-answer", set=entity.name, property=name, what=_what(value))


def _what(value: Any) -> str:
    match value:
        case None:
            return "missing"
        case bool():
            return "true or false"
        case int() | Decimal():
            return "a number"
        case str():
            return "another text"
        case _:
            return "a list" if isinstance(value, list) else "an object"


def _assert_whole(entity: EntitySet, value: Mapping[str, Any]) -> None:
    """Refuse an entity of which some parts are on a further page: a part of them must never stand for all of them."""
    for name in entity.navigations:
        parts = value.get(name)
        inner = parts if isinstance(parts, Mapping) else {}
        further = inner.get("__next") or value.get(f"{name}@odata.nextLink")
        rows = inner.get("results", [parts]) if isinstance(parts, Mapping) else parts
        rows = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
        count = count_of({"__count": inner.get("__count", value.get(f"{name}@odata.count", ""))})
        if further or count not in (None, len(rows)):
            raise OutcomeUnknown(
                "What belongs to a record came in pages, of which the first is not taken for the whole.",
                code=IN_PAGES,
                set=entity.name,
                navigation=name,
                rows=len(rows),
            )
        target, _ = entity.behind(name)
        for row in rows:
            _assert_whole(target, row)


def expanded(read: Reading) -> Reading:
    """Read entities of which all parts were asked for; `OutcomeUnknown` where some did not come, not even as none."""

    def reading(entity: EntitySet, value: Any) -> dict[str, Any]:
        _assert_expanded(entity, value)
        return read(entity, value)

    return reading


def _assert_expanded(entity: EntitySet, value: Mapping[str, Any]) -> None:
    for name in entity.navigations:
        parts = value.get(name, {"__deferred": None})
        if isinstance(parts, Mapping) and "__deferred" in parts:
            raise OutcomeUnknown(
                "What belongs to a record did not come with it.",
                code="unreadable-answer",
                set=entity.name,
                navigation=name,
            )
        rows = parts.get("results", [parts]) if isinstance(parts, Mapping) else parts
        target, _ = entity.behind(name)
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, Mapping):
                _assert_expanded(target, row)


def one(entity: EntitySet, response: Response) -> dict[str, Any]:
    """Read the one entity of an answer."""
    return read_entity(entity, raw_entity(entity, response))


def raw_rows(entity: EntitySet, response: Response) -> list[dict[str, Any]]:
    """Give the rows of a page as they came; an answer without rows says nothing about what exists."""
    rows = _rows(entity, response)
    for row in rows:
        if not entity.aggregate:
            _assert_keyed(entity, row, "A row lacks its key.")
    return rows


def claimed_rows(entity: EntitySet, response: Response) -> list[dict[str, Any]]:
    """Give what came for the rows of a page, also without their keys, to be compared with a schema."""
    rows = _rows(entity, response)
    for row in rows:
        _assert_of(entity, row)
    return rows


def _rows(entity: EntitySet, response: Response) -> list[dict[str, Any]]:
    value = envelope(response, entity.version)
    rows = value.get("results" if entity.version == 2 else "value")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise OutcomeUnknown("The answer is not a page of rows.", code="unreadable-answer", set=entity.name)
    for row in rows:
        _assert_whole(entity, row)
    return rows


def page(entity: EntitySet, response: Response, asked: str, read: Reading = read_entity) -> Page:
    """Read a page, each row by `read`; `asked` is the address it was asked under.

    The next address must lead to the same host and set: whoever answers must not send the hub, with its credentials,
    elsewhere.
    """
    rows = [read(entity, row) for row in raw_rows(entity, response)]
    value = envelope(response, entity.version)
    link = value.get("__next" if entity.version == 2 else "@odata.nextLink")
    if link is None:
        return Page(rows=rows, next=None, count=count_of(value))
    if not isinstance(link, str):
        raise OutcomeUnknown("The next page has no address.", code="unreadable-answer", set=entity.name)
    here, there = urlsplit(asked), urlsplit(urljoin(asked, link))
    if there.path.rpartition("/")[2] != here.path.rpartition("/")[2]:
        raise OutcomeUnknown("The next page leads elsewhere.", code="unreadable-answer", set=entity.name)
    # Behind a gateway SAP may name itself by another host; the way that was gone is gone on.
    followed = here._replace(query=there.query).geturl()
    if followed == asked:
        raise OutcomeUnknown("The next page is the same one.", code="unreadable-answer", set=entity.name)
    return Page(rows=rows, next=followed, count=count_of(value))


def whole(entity: EntitySet, response: Response) -> list[dict[str, Any]]:
    """Give the rows of an answer that must be all there are; `OutcomeUnknown` where it says that there are others."""
    rows, value = raw_rows(entity, response), envelope(response, entity.version)
    count = count_of(value)
    if value.get("__next") is not None or value.get("@odata.nextLink") is not None or count not in (None, len(rows)):
        raise OutcomeUnknown("The rows came incomplete.", code="unreadable-answer", set=entity.name)
    return rows


def count_of(value: Mapping[str, Any]) -> int | None:
    """Give how many rows there are in all, where an answer tells."""
    told = str(value.get("__count", value.get("@odata.count", "")))
    return int(told) if told.isascii() and told.isdigit() and len(told) < 12 else None


def unshown(refused: Response) -> OutcomeUnknown:
    """Make the error of a batch whose changes are made, while the read behind them was refused."""
    return OutcomeUnknown(
        "The changes seem to be made, and what stands now is not shown.",
        after=retry_after(refused.headers),
        **reason(refused.body).facts,
        status=refused.status,
    )


def etag_of(value: Mapping[str, Any]) -> str:
    """Give the ETag of an entity as it came, byte for byte; empty where it has none."""
    about = value.get("__metadata")
    found = about.get("etag") if isinstance(about, Mapping) else value.get("@odata.etag")
    return found if isinstance(found, str) else ""


def options_of(url: str) -> dict[str, str]:
    """Give the options of an address."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def reason(body: bytes) -> Reason:
    """Read why something was refused, in the form of either version; empty for a body that is not Gateway's."""
    try:
        value = loads(body)
    except FixData:
        return Reason()
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return Reason()
    message = error.get("message")
    text = message.get("value") if isinstance(message, dict) else message
    code, target = error["code"], error.get("target")
    first = _first_error(error)
    if first is not None:
        # The head of an error is often a general one; what went wrong is its first detail of severity error.
        code, text, target = first.get("code") or code, first.get("message") or text, first.get("target") or target
    return Reason(
        code=_text(code, _LONGEST_CODE), text=_text(text, _LONGEST_TEXT), target=_text(target, 80), known=True
    )


def _first_error(error: Mapping[str, Any]) -> Mapping[str, Any] | None:
    inner = error.get("innererror")
    details = inner.get("errordetails") if isinstance(inner, dict) else None
    if not isinstance(details, list):
        details = error.get("details")
    found = [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    wrong = [each for each in found if each.get("severity", "error") == "error"]
    return next((each for each in wrong if "/IWBEP/CX" not in str(each.get("code"))), None)


def _text(value: Any, most: int) -> str:
    return value[:most].encode("utf-8", "replace").decode() if isinstance(value, str) else ""
