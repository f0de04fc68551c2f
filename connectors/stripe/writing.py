"""How things are written at Stripe: under the effect's key, found again by it, and answered with the object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.stripe.client import ending, listed, read_object, reading, writing
from connectors.stripe.reading import ID
from connectors.stripe.settings import StripeSettings
from hub.sdk.calls import Calls, Course
from hub.sdk.connector import JsonSchema, Record, WriteOperation
from hub.sdk.errors import FixData, NoSuchRecord, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.values import EffectKey, Idempotency, Request, Response

#: Makes Stripe's parameters of an operation's input.
Form = Callable[[StripeSettings, Record], Record]
#: Tells of what was sent, and of an object as it stands, whether the object is as the sending leaves it.
Holds = Callable[[Mapping[str, str], Mapping[str, Any]], bool]
#: Completes an object that shows only a part of what belongs to it.
Whole = Callable[[StripeSettings, Mapping[str, Any]], Course[Mapping[str, Any]]]

#: The key of an object's metadata that holds the key of the effect that made it.
MARK = "concord_effect"
#: Stripe's search shows what was written within a minute; within an hour when something is wrong there.
SEARCHED_AFTER = 3600.0
#: What makes nothing twice however often it is sent may be sent again for ever: a century.
FOR_EVER = 100 * 365 * 86_400.0
#: Stripe's limits on metadata: 50 keys of 40 characters, values of 500; null removes a key.
METADATA: JsonSchema = {
    "type": "object",
    "propertyNames": {"pattern": r"^[^\[\]]{1,40}$"},
    "additionalProperties": {"type": ["string", "null"], "maxLength": 500},
    "minProperties": 1,
    "maxProperties": 49,
}


def creates(
    name: str,
    path: str,
    *,
    title: str,
    fields: Mapping[str, JsonSchema],
    required: Sequence[str] = (),
    gives: Sequence[str] = (),
    searched: bool = False,
    listed_by: Sequence[str] | None = None,
    known_by: Sequence[str] = (),
    remembers: float = 86_400.0,
    undo: str | None = None,
    kind: str = "",
    form: Form | None = None,
) -> WriteOperation:
    """Declare a write that makes an object: `POST /v1/PATH`.

    `fields` are Stripe's own parameters, unless `form` makes them of the input. The object's `kind` is the first word
    of the name unless it is told. The output has the id, the object's kind, and the fields `gives` where the
    object has them. What is `searched` carries the effect's key in its metadata and is found again by it, however old.
    So is what Stripe lists and does not search: `listed_by` names the parameters by which its list is filtered. What
    has no metadata is `known_by` parameters that no two objects share. `remembers` is told of what needs no key.
    """
    kind = kind or name.partition(".")[0]
    marked = searched or (listed_by is not None and not known_by)

    def request(settings: StripeSettings, record: Record, key: EffectKey) -> Request:
        sent = dict(record if form is None else form(settings, record))
        if marked:
            sent["metadata"] = {**record.get("metadata", {}), MARK: key}
        return writing(settings, *path.split("/"), form=sent, key=key)

    def look(settings: StripeSettings, key: EffectKey) -> Request:
        query = {"query": f'metadata["{MARK}"]:"{key}"', "limit": 2}
        return reading(settings, *path.split("/"), "search", query=query)

    def found(response: Response, key: EffectKey) -> Record | None:
        return _found(response, kind, key, gives)

    def find(settings: StripeSettings, request: Request, key: EffectKey) -> Course[Record | None]:
        sent = _sent(request)
        query = {name: sent[name] for name in listed_by or () if name in sent}
        objects = yield from listed(settings, *path.split("/"), query=query)
        return _listed(objects, kind, {name: sent[name] for name in known_by if name in sent} or key, gives)

    return WriteOperation(
        name=name,
        title=title,
        input=_input(fields, required),
        output=_output(kind, gives),
        idempotency=Idempotency.NATIVE,
        request=request,
        result=lambda response: _shown(read_object(response, kind), gives),
        look=look if searched else None,
        found=found if searched else None,
        find=find if listed_by is not None else None,
        settle=SEARCHED_AFTER if searched else 60.0,
        remembers=remembers,
        undo=undo,
    )


def changes(
    name: str,
    path: str,
    *,
    title: str,
    verb: str | None = None,
    fields: Mapping[str, JsonSchema] | None = None,
    required: Sequence[str] = (),
    gives: Sequence[str] = (),
    undo: str | None = None,
    kind: str = "",
    form: Form | None = None,
    holds: Holds | None = None,
    whole: Whole | None = None,
) -> WriteOperation:
    """Declare a write to one object: `POST /v1/PATH/{id}`, or `POST /v1/PATH/{id}/VERB`; the input has its `id`.

    `holds` tells whether the object is in the state that the write leaves, by which it is found however old it is;
    `whole` reads before that what the object itself shows in part.
    """
    kind = kind or name.partition(".")[0]

    def request(settings: StripeSettings, record: Record, key: EffectKey) -> Request:
        sent = {field: value for field, value in record.items() if field != "id"}
        segments = [*path.split("/"), record["id"], *([verb] if verb else [])]
        return writing(settings, *segments, form=sent if form is None else form(settings, sent), key=key)

    def identifier(request: Request) -> str:
        return urlsplit(request.url).path.split("/")[-2 if verb else -1]

    def find(settings: StripeSettings, request: Request, _: EffectKey) -> Course[Record | None]:
        found = yield from _standing(settings, path, identifier(request), kind)
        if whole is not None:
            found = yield from whole(settings, found)
        return _shown(found, gives) if holds is not None and holds(_sent(request), found) else None

    return WriteOperation(
        name=name,
        title=title,
        input=_input({"id": ID, **(fields or {})}, ["id", *required]),
        output=_output(kind, gives),
        idempotency=Idempotency.NATIVE,
        request=request,
        result=lambda response: _shown(read_object(response, kind), gives),
        about=lambda request, output: bool(identifier(request) == output["id"]),
        find=None if holds is None else find,
        undo=undo,
    )


def ends(
    name: str, path: str, *, title: str, fields: Mapping[str, JsonSchema], gives: Sequence[str] = ()
) -> WriteOperation:
    """Declare a write that ends an object at once: `DELETE /v1/PATH/{id}`; the input has its `id`.

    Stripe keeps no keys for it and answers a second one as if there had never been such an object. So the effect's key
    is the comment of the cancellation, by which the write is found however old it is: one that somebody else has ended
    is not as this write would have left it.
    """
    kind = name.partition(".")[0]

    def request(settings: StripeSettings, record: Record, key: EffectKey) -> Request:
        sent = {field: value for field, value in record.items() if field != "id"}
        query = {**sent, "cancellation_details": {"comment": f"{MARK} {key}"}}
        return ending(settings, *path.split("/"), record["id"], query=query)

    def identifier(request: Request) -> str:
        return urlsplit(request.url).path.rpartition("/")[2]

    def ended(request: Request, found: Mapping[str, Any]) -> bool:
        said, comment = found.get("cancellation_details"), "cancellation_details[comment]"
        return isinstance(said, dict) and said.get("comment") == dict(parse_qsl(urlsplit(request.url).query))[comment]

    def calls(settings: StripeSettings, request: Request) -> Calls:
        try:
            return (yield request)
        except NoSuchRecord:
            answer = yield reading(settings, *path.split("/"), identifier(request))
            if not ended(request, read_object(answer, kind)):
                raise
            return answer

    def find(settings: StripeSettings, request: Request, _: EffectKey) -> Course[Record | None]:
        found = yield from _standing(settings, path, identifier(request), kind)
        return _shown(found, gives) if ended(request, found) else None

    return WriteOperation(
        name=name,
        title=title,
        input=_input({"id": ID, **fields}, ["id"]),
        output=_output(kind, gives),
        idempotency=Idempotency.NATIVE,
        request=request,
        calls=calls,
        result=lambda response: _shown(read_object(response, kind), gives),
        about=lambda request, output: bool(identifier(request) == output["id"]),
        find=find,
        # What has ended cannot be ended again, so that no repeat credits or bills anything twice.
        remembers=FOR_EVER,
        erases=True,
    )


def annotates(kind: str, path: str, *, title: str) -> WriteOperation:
    """Declare `KIND.annotate`: merges keys into an object's metadata."""

    def shown(written: Mapping[str, Any]) -> Record:
        if not isinstance(written.get("metadata"), dict):
            raise OutcomeUnknown("The answer shows no metadata.", code="unreadable-answer")
        return {"id": written["id"], "object": kind, "metadata": written["metadata"]}

    def identifier(request: Request) -> str:
        return urlsplit(request.url).path.rpartition("/")[2]

    def find(settings: StripeSettings, request: Request, _: EffectKey) -> Course[Record | None]:
        note = shown((yield from _standing(settings, path, identifier(request), kind)))
        wanted = {name.removeprefix("metadata[").removesuffix("]"): value for name, value in _sent(request).items()}
        return note if all(note["metadata"].get(name, "") == value for name, value in wanted.items()) else None

    return WriteOperation(
        name=f"{kind}.annotate",
        title=title,
        input=_input({"id": ID, "metadata": {**METADATA, "maxProperties": 50}}, ["id", "metadata"]),
        output={
            "type": "object",
            "properties": {"id": {"type": "string"}, "object": {"const": kind}, "metadata": {"type": "object"}},
            "required": ["id", "object", "metadata"],
        },
        idempotency=Idempotency.NATIVE,
        request=lambda settings, note, key: writing(
            settings, path, note["id"], form={"metadata": note["metadata"]}, key=key
        ),
        result=lambda response: shown(read_object(response, kind)),
        about=lambda request, output: bool(identifier(request) == output["id"]),
        find=find,
    )


def _found(response: Response, kind: str, key: EffectKey, gives: Sequence[str]) -> Record | None:
    """Read a search for an effect's mark; what does not carry it was not asked for."""
    try:
        answer: Any = loads(response.body)
    except FixData as error:
        raise OutcomeUnknown("The answer is not JSON.", code="unreadable-answer", status=response.status) from error
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or answer.get("object") != "search_result":
        raise OutcomeUnknown("The answer is not a Stripe search.", code="unreadable-answer", status=response.status)
    if len(data) > 1:
        raise FixData(f"Several objects of the kind {kind} carry the effect's key.", code="found-twice")
    for one in data:
        whole = isinstance(one, dict) and one.get("object") == kind and isinstance(one.get("id"), str)
        metadata = one.get("metadata") if whole else None
        if not isinstance(metadata, dict) or metadata.get(MARK) != key:
            raise OutcomeUnknown("The search found something else.", code="foreign-answer")
        return _shown(one, gives)
    return None


def _listed(
    objects: Sequence[Mapping[str, Any]], kind: str, by: EffectKey | Mapping[str, str], gives: Sequence[str]
) -> Record | None:
    """Look in a list for what carries the effect's key, or has the fields that no two objects share."""
    found = []
    for one in objects:
        if one.get("object") != kind:
            raise OutcomeUnknown("The list shows something else.", code="foreign-answer")
        metadata = one.get("metadata")
        if isinstance(by, str):
            same = isinstance(metadata, dict) and metadata.get(MARK) == by
        else:
            same = all(one.get(name) == value for name, value in by.items())
        if same:
            found.append(one)
    if len(found) > 1:
        raise FixData(f"Several objects of the kind {kind} were made by one write.", code="found-twice")
    return _shown(found[0], gives) if found else None


def _standing(settings: StripeSettings, path: str, identifier: str, kind: str) -> Course[Mapping[str, Any]]:
    found = read_object((yield reading(settings, *path.split("/"), identifier)), kind)
    if found["id"] != identifier:
        raise OutcomeUnknown("Something else came than was asked for.", code="foreign-answer")
    return found


def _sent(request: Request) -> dict[str, str]:
    """Give the parameters of a recorded request, by their names in Stripe's notation."""
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def _shown(written: Mapping[str, Any], gives: Sequence[str]) -> Record:
    return {name: written[name] for name in ("id", "object", *gives) if name in written}


def _input(fields: Mapping[str, JsonSchema], required: Sequence[str]) -> JsonSchema:
    return {
        "type": "object",
        "properties": dict(fields),
        "required": list(required),
        "additionalProperties": False,
    }


def _output(kind: str, gives: Sequence[str]) -> JsonSchema:
    return {
        "type": "object",
        "properties": {"id": {"type": "string"}, "object": {"const": kind}, **{name: {} for name in gives}},
        "required": ["id", "object"],
    }
