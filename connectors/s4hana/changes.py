"""Updates: one change set for a head and what belongs to it, bound to the head's ETag, so that all or nothing is done.

SAP has no deep update in OData v2. What is there already is patched and what is not there yet is made, in the one
change set: which of both it is, a look tells right before. The ETag of the head moves with each of its parts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from connectors.s4hana.failures import CHANGED_MEANWHILE, NOT_FOUND, classify, is_gateways
from connectors.s4hana.marks import key_part, number
from connectors.s4hana.moments import latest
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.batch import changes_of, changing, outcomes
from connectors.s4hana.odata.json_batch import is_json
from connectors.s4hana.odata.literals import decimal_of
from connectors.s4hana.odata.model import EntitySet, Kind, entity_set
from connectors.s4hana.odata.requests import Change
from connectors.s4hana.odata.values import rows_of, wire_entity
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.calls import Course
from hub.sdk.connector import JsonSchema, Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import canonical
from hub.sdk.guards import Conditional, Guard, Look, ReadBefore, Standing
from hub.sdk.values import EffectKey, Idempotency, Request, Response

_PATH = re.compile(r"([A-Za-z0-9_]+)\((.*)\)")
_NAMED = re.compile(r"([A-Za-z0-9_]+)='((?:[^']|'')*)'")
#: Gateway writes it into its log; it is in no way a key there: what is written itself tells a repeat from a new write.
TRACE = "x-correlationid"
#: Properties beside keys that hold numbers which SAP shows with leading zeros or without. Elsewhere a zero counts: the
#: postal code 01099 is another one than 1099.
_NUMBERS = frozenset(
    {
        "CostCenter",
        "Customer",
        "GLAccount",
        "Material",
        "PayerParty",
        "Product",
        "ProfitCenter",
        "ReconciliationAccount",
        "ReferenceSDDocument",
        "ReferenceSDDocumentItem",
        "SoldToParty",
        "Supplier",
    }
)
#: How long a number stays taken, and a mark set.
FOR_EVER = 10 * 365 * 86_400.0
#: What an update gives.
OUTPUT: JsonSchema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "number of what was changed"},
        "etag": {"type": "string", "description": "its version, as opaque as SAP gives it"},
        "parts": {"type": "array", "items": {"type": "string"}, "description": "what was seen to belong to it"},
    },
    "required": ["id"],
    "additionalProperties": False,
}
_NEVER = datetime(1, 1, 2, tzinfo=UTC)
Form = Callable[[S4HanaSettings, Record], Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A head whose parts are changed with it: its set, and the property that is its number.

    `owners` are properties in the keys of parts that hold the number of the head, whatever they are called. `through`
    names sets whose parts are made through a navigation of what they belong to, since the key that they have from it
    cannot be written, with all below them that has no key yet.
    `is_the_hubs_own` tells of a record whether it stands as the hub has made it: then nothing is newer there, however
    late it was made.
    """

    entity: EntitySet
    id: str
    owners: tuple[str, ...] = ()
    through: Mapping[str, str] = field(default_factory=dict)
    is_the_hubs_own: Callable[[Mapping[str, Any]], bool] = lambda record: False

    def changes(self, record: Mapping[str, Any]) -> list[Change]:
        """Form the changes of a record: the head first, in whatever version it stands."""
        if not record.get(self.id):
            raise FixData(f"An update needs `{self.id}`.", code="no-key", property=self.id)
        head = {name: value for name, value in record.items() if name not in self.entity.navigations}
        body = {name: value for name, value in wire_entity(self.entity, head).items() if name != self.id}
        path = requests.entity_path(self.entity, record)
        return [Change(method="PATCH", path=path, body=body, match="*"), *self._parts(self.entity, record)]

    def _parts(self, entity: EntitySet, record: Mapping[str, Any]) -> Iterator[Change]:
        for name in sorted(record.keys() & entity.navigations.keys()):
            target, many = entity.behind(name)
            for row in rows_of(record[name] if many else [record[name]], name):
                whole = {**row, **self._inherited(target, entity, record)}
                keyless = self._keyless(target, whole)
                plain = {each: value for each, value in whole.items() if each not in target.navigations}
                sent = wire_entity(target, {**plain, **keyless})
                body = {each: value for each, value in sent.items() if each not in target.keys}
                if body or not target.navigations:
                    path, match = requests.entity_path(target, whole), "*" if target.versioned else ""
                    yield Change(method="PATCH", path=path, body=body, match=match)
                yield from self._parts(target, {each: whole[each] for each in whole if each not in keyless})

    def _keyless(self, target: EntitySet, whole: Mapping[str, Any]) -> dict[str, Any]:
        """Give what is below a part and has no key yet: it can only be made, together with the part."""
        found = {}
        for name in sorted(whole.keys() & target.navigations.keys()) if target.name in self.through else ():
            below, many = target.behind(name)
            own = [key for key in below.keys if key not in self._inherited(below, target, whole)]
            if many and not any(row.get(key) for row in rows_of(whole[name], name) for key in own):
                found[name] = whole[name]
        return found

    def _inherited(self, target: EntitySet, entity: EntitySet, record: Mapping[str, Any]) -> dict[str, Any]:
        """Give what the key of a part has of the key of what it belongs to."""
        owner = record[entity.keys[0]]
        return {
            name: record[name] if name in entity.keys else owner
            for name in target.keys
            if name in entity.keys or name in self.owners
        }

    # --- what stands ---

    def current(self, settings: S4HanaSettings, request: Request) -> Request:
        """Form the read of the head with all its parts."""
        head = changes_of(request)[0]
        return requests.reading(settings.base_url, self.entity, head.path, requests.shown(self.entity, None))

    def standing(self, response: Response) -> Standing | None:
        """Read what stands; None when Gateway itself says that there is no such thing."""
        if response.status == 404:
            refusal = classify(response)
            if is_gateways(response) and refusal is not None and refusal.code == NOT_FOUND:
                return None
            raise OutcomeUnknown("Somebody else than S/4HANA says that this is not found.", code="unreadable-answer")
        record = answers.raw_entity(self.entity, response)
        etag, parts = answers.etag_of(record), sorted(place for place, _ in _entities(self.entity, record))
        read = answers.one(self.entity, response)
        digest = hashlib.sha256(canonical(read)).hexdigest()[:32]
        output = {"id": record[self.id], "etag": etag, "parts": parts}
        changed = _NEVER if self.is_the_hubs_own(read) else latest(self.entity, read)
        return Standing(version=etag or digest, output=output, changed_at=changed)

    def _standing(self, response: Response) -> dict[str, Mapping[str, Any]]:
        return dict(_entities(self.entity, answers.raw_entity(self.entity, response)))

    def holds(self, request: Request, response: Response) -> bool:
        """Tell whether what stands has all that a write names."""
        standing = self._standing(response)
        return all(
            place in standing and _stands(entity, name, value, standing[place].get(name))
            for entity, place, change in self._named(request)
            for name, value in (change.body or {entity.keys[0]: standing.get(place, {}).get(entity.keys[0])}).items()
        )

    def within(self, request: Request, response: Response) -> str:
        """Give a digest of those properties that a write names, as they stand."""
        standing = self._standing(response)
        shown = {
            place: {
                name: _stands(entity, name, value, standing[place].get(name))
                if name in entity.navigations
                else standing[place].get(name)
                for name, value in change.body.items()
                if name not in entity.keys
            }
            if place in standing
            else None
            for entity, place, change in self._named(request)
        }
        return hashlib.sha256(canonical(shown)).hexdigest()[:32]

    def _named(self, request: Request) -> Iterator[tuple[EntitySet, str, Change]]:
        """Give what a write changes: the set, the place in one form, and the change."""
        for change in changes_of(request):
            head, _, navigation = change.path.partition(")/")
            entity = entity_set(self.entity.service, head.partition("(")[0])
            if not navigation:
                made = change.method == "POST"
                yield entity, place(requests.entity_path(entity, change.body) if made else change.path), change
                continue
            owner = _key_in(entity, f"{head})")
            below, _ = entity.behind(navigation)
            yield below, place(requests.entity_path(below, {**owner, **change.body})), change

    def bind(self, request: Request, standing: Standing | None) -> Request:
        """Bind a write to the version that stands, and make what is not there yet instead of changing it."""
        if standing is None:
            return request
        there = frozenset(standing.output["parts"])
        head, *parts = changes_of(request)
        bound = [replace(head, match=str(standing.output["etag"]) or "*")]
        bound += [self._changing(part) if place(part.path) in there else self._making(head, part) for part in parts]
        base = request.url.removesuffix(f"{self.entity.root}/$batch")
        return changing(base, self.entity, bound, shown=self._shown(head), json=is_json(request))

    def _changing(self, part: Change) -> Change:
        below = sorted(part.body.keys() & entity_set(self.entity.service, part.path.partition("(")[0]).navigations)
        if below:
            raise FixData(
                "What is below something that stands is changed by its own whole key.",
                code="no-key",
                navigation=below[0],
                part=unquote(part.path),
            )
        return part

    def _making(self, head: Change, part: Change) -> Change:
        name = part.path.partition("(")[0]
        own = _key_in(entity_set(self.entity.service, name), part.path)
        if name in self.through:
            above = self._above(name)
            owner = head.path if above is self.entity else requests.entity_path(above, own)
            own = {each: value for each, value in own.items() if each not in above.keys}
            name = f"{owner}/{self.through[name]}"
        return Change(method="POST", path=name, body={**own, **part.body})

    def _above(self, name: str) -> EntitySet:
        """Give the set to which a part belongs that is made through a navigation."""
        every = [self.entity, *(below for _, below in self.entity.paths())]
        return next(each for each in every if each.navigations.get(self.through[name], ("",))[0] == name)

    def _changing_all(self, settings: S4HanaSettings, changes: Sequence[Change]) -> Request:
        json = self.entity.version == 4 and settings.v4_batch == "json"
        return changing(settings.base_url, self.entity, changes, shown=self._shown(changes[0]), json=json)

    def _shown(self, head: Change) -> str:
        return f"{head.path}?$select={self.id}"

    # --- the operation ---

    def operation(self, *, name: str, title: str, schema: JsonSchema, form: Form, bound: bool = True) -> WriteOperation:
        """Declare the update; `form` makes the record, in SAP's names, of the operation's input.

        With `bound` the ETag of the head guards it; without, for heads that have none, a look before and after does.
        """

        def request(settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
            changes = self.changes(form(settings, record))
            if not bound:
                changes[0] = replace(changes[0], match="")
            return self._changing_all(settings, changes)

        look = Look(current=self.current, standing=self.standing, holds=self.holds, within=self.within)
        refused = frozenset({CHANGED_MEANWHILE})
        guard: Guard = Conditional(refused=refused, look=look, bind=self.bind) if bound else ReadBefore(look=look)
        return WriteOperation(
            name=name,
            title=title,
            input=schema,
            output=OUTPUT,
            idempotency=Idempotency.UPSERT,
            request=request,
            result=self.result,
            about=self.about,
            guard=guard,
        )

    def marking(self, *, name: str, title: str, schema: JsonSchema, form: Form) -> WriteOperation:
        """Declare the setting of a mark that stays, such as a rejection: a repeat finds it there, or sets it again.

        It takes something back, so that it goes by what stands in no version: a guard would keep it from what the same
        run has made.
        """

        def request(settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
            changes = self.changes(form(settings, record))
            made = self._changing_all(settings, changes)
            return replace(made, headers={**made.headers, TRACE: key})

        def find(settings: S4HanaSettings, formed: Request, key: EffectKey) -> Course[Record | None]:
            seen = yield self.current(settings, formed)
            standing = self.standing(seen)
            return standing.output if standing is not None and self.holds(formed, seen) else None

        return WriteOperation(
            name=name,
            title=title,
            input=schema,
            output=OUTPUT,
            idempotency=Idempotency.NATIVE,
            request=request,
            result=self.result,
            about=self.about,
            find=find,
            remembers=FOR_EVER,
        )

    def result(self, response: Response) -> Record:
        """Read the answer to the batch, whose last part shows the head; raises what the one refusal in it means."""
        parts = outcomes(response)
        refusal = classify(parts[0])
        if refusal is not None:
            raise refusal
        record = answers.raw_entity(self.entity, parts[-1])
        return {"id": record[self.id], "etag": answers.etag_of(record)}

    def about(self, request: Request, output: Record) -> bool:
        """Tell whether an answer shows the head that was to be changed."""
        return place(f"{self.entity.name}('{output['id']}')") == place(changes_of(request)[0].path)


def _entities(entity: EntitySet, record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give an entity that came, and all that came with it, by their places."""
    yield place(requests.entity_path(entity, record)), record
    for name in entity.navigations:
        below, many = entity.behind(name)
        value = record.get(name)
        if isinstance(value, list) and many and entity.version == 4:
            rows: Any = value
        elif not isinstance(value, Mapping) or "__deferred" in value:
            continue
        else:
            rows = value.get("results") if many else [value]
        if not isinstance(rows, list) or not all(_has_key(below, row) for row in rows):
            raise OutcomeUnknown("What belongs to it came incomplete.", code="unreadable-answer", navigation=name)
        for row in rows:
            yield from _entities(below, row)


def _has_key(entity: EntitySet, row: Any) -> bool:
    return isinstance(row, Mapping) and all(isinstance(row.get(name), str) for name in entity.keys)


def place(path: str) -> str:
    """Give an entity's address in one form: decoded, and numbers, but no codes, without leading zeros."""
    found = _PATH.fullmatch(unquote(path))
    if found is None:
        return path
    named = _NAMED.findall(found[2])
    if not named:
        return f"{found[1]}('{number(found[2][1:-1])}')"
    return f"{found[1]}({','.join(f'{name}={key_part(name, value)}' for name, value in named)})"


def _key_in(entity: EntitySet, path: str) -> dict[str, str]:
    """Give the key in the address of an entity, by the names of its properties."""
    key = unquote(path.partition("(")[2])
    found = dict(_NAMED.findall(key)) or {entity.keys[0]: key[1:-2]}
    return {name: value.replace("''", "'") for name, value in found.items() if value}


def number_in(path: str) -> str:
    """Give the number in the address of an entity that has one key: `7` of `A_SalesOrder('7')`."""
    found = _PATH.fullmatch(unquote(path))
    assert found is not None
    return found[2][1:-1]


def _stands(entity: EntitySet, name: str, written: Any, shown: Any) -> bool:
    """Tell whether a property shows what was written, or of a navigation whether all rows are there."""
    if name not in entity.navigations:
        return same(entity, name, written, shown)
    below, _ = entity.behind(name)
    rows = rows_of(shown or [], name)
    return all(
        any(all(same(below, each, value, row.get(each)) for each, value in wanted.items()) for row in rows)
        for wanted in rows_of(written, name)
    )


def same(entity: EntitySet, name: str, written: Any, shown: Any) -> bool:
    """Tell whether a property shows what was written."""
    if written in (None, "") or shown in (None, ""):
        return (written or None) == (shown or None)
    if entity.properties.get(name) is Kind.DECIMAL:
        return decimal_of(written, name) == decimal_of(shown, name)
    if name in _NUMBERS or name in entity.keys:
        return key_part(name, written) == key_part(name, shown)
    return bool(written == shown)
