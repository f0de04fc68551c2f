"""Collections: up to 200 records in one call, each with a result of its own, in the order they were sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.identifiers import read_id
from connectors.salesforce.sandbox.record_api import kind_of, manner_of, shown
from connectors.salesforce.sandbox.refusals import Refusal, Undone
from connectors.salesforce.sandbox.saving import Ambiguous, Manner
from connectors.salesforce.sandbox.schema import Kind
from connectors.salesforce.sandbox.wire import Call, Reply, Router

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

#: Records of one call, records of one retrieval, and runs of one object after another in one call.
MOST, MOST_READ, MOST_RUNS = 200, 2000, 10

One = Callable[[], dict[str, Any]]


class CollectionsApi:
    """Handlers of `/composite/sobjects` and `/composite/tree`."""

    def __init__(self, org: Org) -> None:
        """Take the org that is served."""
        self._org = org

    def add_to(self, router: Router) -> None:
        """Add the addresses."""
        router.add("POST", "/composite/sobjects", self.create)
        router.add("PATCH", "/composite/sobjects", self.change)
        router.add("DELETE", "/composite/sobjects", self.delete)
        router.add("PATCH", "/composite/sobjects/{name}/{field}", self.upsert)
        router.add("POST", "/composite/sobjects/{name}", self.read)
        router.add("GET", "/composite/sobjects/{name}", self.read_by_address)
        router.add("POST", "/composite/tree/{name}", self.tree)

    def create(self, call: Call) -> Reply:
        """Make records."""
        records, manner, org = self._records(call), manner_of(call), self._org

        def one(record: Mapping[str, Any]) -> One:
            return lambda: {
                "id": org.saver.insert(_kind(org, record), record, manner).id,
                "success": True,
                "errors": [],
            }

        return self._all(call, [one(record) for record in records])

    def change(self, call: Call) -> Reply:
        """Change records, each by its `id`."""
        records, manner, org = self._records(call), manner_of(call), self._org

        def one(record: Mapping[str, Any]) -> One:
            def work() -> dict[str, Any]:
                id = next((value for name, value in record.items() if name.lower() == "id"), None)
                if id is None:
                    raise Refusal("MISSING_ARGUMENT", "Id not specified in an update call")
                kind = _kind(org, record)
                _refuse_id(org, kind, str(id))
                body = {name: value for name, value in record.items() if name.lower() != "id"}
                return {"id": org.saver.update(kind, str(id), body, manner).id, "success": True, "errors": []}

            return work

        return self._all(call, [one(record) for record in records])

    def delete(self, call: Call) -> Reply:
        """Delete records by their ids."""
        ids = [id.strip() for id in call.query.get("ids", "").split(",") if id.strip()]
        _refuse_size(len(ids))
        manner, org = manner_of(call), self._org

        def one(text: str) -> One:
            def work() -> dict[str, Any]:
                id = read_id(text)
                kind = org.schema.of_id(id) if id else None
                if id is None or kind is None:
                    raise Refusal("MALFORMED_ID", f"malformed id {text}")
                _refuse_id(org, kind, id)
                org.saver.delete(kind, id, manner)
                return {"id": id, "success": True, "errors": []}

            return work

        return self._all(call, [one(id) for id in ids])

    def upsert(self, call: Call, name: str, field: str) -> Reply:
        """Change or make records of one object by a key that stands in each of them."""
        org, manner = self._org, manner_of(call)
        kind = kind_of(org, name)
        key = org.saver.key_field(kind, field)
        records = self._records(call)
        seen: dict[str, int] = {}
        for record in records:
            if _kind(org, record) is not kind:
                raise Refusal("INVALID_TYPE", f"All records of an upsert have the type {kind.name}")
            value = _value(record, key.name)
            if value is not None:
                seen[str(value)] = seen.get(str(value), 0) + 1

        def one(record: Mapping[str, Any]) -> One:
            def work() -> dict[str, Any]:
                value = _value(record, key.name)
                if value is None and key.type != "id":
                    raise Refusal("MISSING_ARGUMENT", f"{key.name} not specified", fields=[key.name])
                if seen.get(str(value), 0) > 1:
                    raise Refusal("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", fields=[key.name])
                body = {name: one for name, one in record.items() if name.lower() != key.name.lower()}
                if value is None:
                    made = org.saver.insert(kind, body, manner)
                    return {"id": made.id, "success": True, "errors": [], "created": True}
                try:
                    saved = org.saver.upsert(kind, key.name, str(value), body, manner)
                except Ambiguous as several:
                    raise Refusal(
                        "DUPLICATE_EXTERNAL_ID",
                        f"{key.name}: more than one record found for external id field: {list(several.ids)}",
                        fields=[key.name],
                    ) from several
                return {"id": saved.id, "success": True, "errors": [], "created": saved.created}

            return work

        return self._all(call, [one(record) for record in records], upserts=True)

    def read(self, call: Call, name: str) -> Reply:
        """Give records by their ids, null for those that are not there."""
        body = call.object()
        return self._read(call, name, body.get("ids"), body.get("fields"))

    def read_by_address(self, call: Call, name: str) -> Reply:
        """Give records by the ids in the address."""
        ids, fields = call.query.get("ids", ""), call.query.get("fields", "")
        return self._read(call, name, ids.split(",") if ids else None, fields.split(",") if fields else None)

    def _read(self, call: Call, name: str, ids: Any, fields: Any) -> Reply:
        kind = kind_of(self._org, name)
        if not isinstance(ids, list) or not isinstance(fields, list) or not fields:
            raise Refusal("MISSING_ARGUMENT", "ids and fields are required")
        if len(ids) > MOST_READ:
            raise Refusal("EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MOST_READ} records")
        table = self._org.store.table(kind.name)
        found = [table.live.get(read_id(id) or "") for id in ids]
        wanted = ",".join(str(field) for field in fields)
        return Reply(body=[None if one is None else shown(self._org, kind, one, call, wanted=wanted) for one in found])

    def _records(self, call: Call) -> Sequence[Mapping[str, Any]]:
        records = call.object().get("records")
        if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
            raise Refusal("JSON_PARSER_ERROR", "The property records is required to be a list of records")
        _refuse_size(len(records))
        runs, last = 0, ""
        for record in records:
            named = str(_attributes(record).get("type", ""))
            runs += named.lower() != last
            last = named.lower()
        if runs > MOST_RUNS:
            raise Refusal(
                "INVALID_BATCH_OPERATION",
                f"Cannot have more than {MOST_RUNS} chunks in a single operation. Please rearrange",
            )
        return records

    def _all(self, call: Call, work: Sequence[One], *, upserts: bool = False) -> Reply:
        """Do every one, or none where the caller wants all or none."""
        said = call.query.get("allOrNone") if call.method == "DELETE" else call.object().get("allOrNone", False)
        all_or_none = str(said).lower() == "true"

        def every() -> list[dict[str, Any]]:
            results = [_result(one, upserts=upserts) for one in work]
            if all_or_none and not all(result["success"] for result in results):
                rolled = "ALL_OR_NONE_OPERATION_ROLLED_BACK"
                why = "Record rolled back because not all records were valid and the request was using AllOrNone header"
                undone = {"success": False, "errors": [{"statusCode": rolled, "message": why, "fields": []}]}
                more = {"created": False} if upserts else {}
                raise Undone([{**undone, **more} if result["success"] else result for result in results])
            return results

        return Reply(body=self._org.store.attempt(every))

    def tree(self, call: Call, name: str) -> Reply:
        """Make records with those below them, all or none."""
        org, manner = self._org, manner_of(call)
        kind = kind_of(org, name)
        records = call.object().get("records")
        if not isinstance(records, list) or not records:
            raise Refusal("JSON_PARSER_ERROR", "The property records is required to be a list of records")
        branches = _Branches(org, manner)
        branches.check(kind, records, depth=1)

        def plant() -> Reply:
            for record in records:
                branches.plant(kind, record)
            if branches.failed:
                raise Undone(Reply(status=400, body={"hasErrors": True, "results": branches.failed}))
            return Reply(status=201, body={"hasErrors": False, "results": branches.made})

        reply = org.store.attempt(plant)
        assert isinstance(reply, Reply)
        return reply


class _Branches:
    """The records of one tree; what fails is told, and the rest is tried nevertheless."""

    def __init__(self, org: Org, manner: Manner) -> None:
        self._org = org
        self._manner = manner
        self.made: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        self._references: set[str] = set()

    def check(self, kind: Kind, records: Sequence[Any], *, depth: int) -> None:
        if depth > 5:
            raise Refusal("INVALID_INPUT", "A tree has at most five levels")
        for record in records:
            reference = _attributes(record).get("referenceId") if isinstance(record, dict) else None
            if not isinstance(reference, str) or not reference:
                raise Refusal("INVALID_INPUT", "Include a reference ID value for every record.")
            if reference in self._references:
                raise Refusal("INVALID_INPUT", f"Duplicate ReferenceId provided in the request.: {reference}")
            self._references.add(reference)
            if len(self._references) > MOST:
                raise Refusal("INVALID_INPUT", f"A tree has at most {MOST} records")
            for name, value in record.items():
                if isinstance(value, dict) and "records" in value:
                    below = self._org.schema.children(kind.name).get(name.lower())
                    if below is None:
                        raise Refusal("INVALID_FIELD", f"No such relationship '{name}' on {kind.name}")
                    if not isinstance(value["records"], list):
                        raise Refusal("JSON_PARSER_ERROR", f"The records of {name} are required to be a list")
                    self.check(self._org.schema.get(below.kind), value["records"], depth=depth + 1)

    def plant(self, kind: Kind, record: Mapping[str, Any], above: Mapping[str, str] | None = None) -> None:
        reference = record["attributes"]["referenceId"]
        lists = {name: value for name, value in record.items() if isinstance(value, dict) and "records" in value}
        body = {name: value for name, value in record.items() if name not in lists}
        try:
            made = self._org.saver.insert(kind, {**body, **(above or {})}, self._manner)
        except Refusal as refusal:
            self.failed.append({"referenceId": reference, "errors": [refusal.in_collection()]})
            return
        self.made.append({"referenceId": reference, "id": made.id})
        for name, value in lists.items():
            below = self._org.schema.children(kind.name)[name.lower()]
            for child in value["records"]:
                self.plant(self._org.schema.get(below.kind), child, {below.field: made.id})


def _result(work: One, *, upserts: bool) -> dict[str, Any]:
    try:
        return work()
    except Refusal as refusal:
        more = {"created": False} if upserts else {}
        return {"success": False, "errors": [refusal.in_collection()], **more}


def _attributes(record: Mapping[str, Any]) -> Mapping[str, Any]:
    said = record.get("attributes")
    return said if isinstance(said, dict) else {}


def _kind(org: Org, record: Mapping[str, Any]) -> Kind:
    named = _attributes(record).get("type")
    if not isinstance(named, str):
        raise Refusal("INVALID_TYPE", "The attributes of each record name its type")
    kind = org.schema.find(named)
    if kind is None:
        raise Refusal("INVALID_TYPE", f"sObject type '{named}' is not supported.")
    return kind


def _value(record: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in record.items() if key.lower() == name.lower()), None)


def _refuse_size(count: int) -> None:
    if count > MOST:
        raise Refusal(
            "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MOST} records into this call"
        )
    if count == 0:
        raise Refusal("MISSING_ARGUMENT", "At least one record is required")


def _refuse_id(org: Org, kind: Kind, text: str) -> None:
    """Refuse an id in a list in the words of lists: there is no address that is not found."""
    id = read_id(text)
    if id is None:
        raise Refusal("MALFORMED_ID", f"malformed id {text}", fields=["Id"])
    if id in org.store.table(kind.name).bin:
        raise Refusal("ENTITY_IS_DELETED", "entity is deleted", fields=[])
    if id not in org.store.table(kind.name).live:
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", fields=[])
