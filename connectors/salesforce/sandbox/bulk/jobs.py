"""Bulk jobs: what each was told, how far it is, and what became of its rows; carried out by the sandbox's clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.bulk import tables
from connectors.salesforce.sandbox.identifiers import read_id
from connectors.salesforce.sandbox.refusals import Refusal, missing_resource
from connectors.salesforce.sandbox.saving import Ambiguous, Manner
from connectors.salesforce.sandbox.schema import Field, Kind
from connectors.salesforce.sandbox.soql.running import run
from connectors.salesforce.sandbox.store import Record
from connectors.salesforce.sandbox.values import show_moment

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

OPEN, UPLOADED, RUNNING, DONE, FAILED, ABORTED = (
    "Open",
    "UploadComplete",
    "InProgress",
    "JobComplete",
    "Failed",
    "Aborted",
)
ENDED = frozenset({DONE, FAILED, ABORTED})
#: A fault of this vendor: a job breaks down after half of its rows.
MIDWAY = "bulk_fails_midway"
_WEEK = 7 * 86_400_000
_BROKEN = "InternalServerError : The job failed because of an internal error. Some rows may have been processed."


@dataclass(slots=True, kw_only=True)
class Job:
    """One job; `due` is when it is carried out, by the clock's monotonic seconds."""

    id: str
    operation: str
    kind: str
    query: str = ""
    key: str | None = None
    delimiter: str
    ending: str
    version: int
    user: str
    made: int
    changed: int
    state: str
    due: float = 0.0
    content: bytes | None = None
    error: str | None = None
    sheet: tables.Sheet | None = None
    bodies: Sequence[dict[str, Any]] = ()
    worked: int = 0
    breaks_at: int | None = None
    succeeded: list[tuple[int, str, bool]] = field(default_factory=list)
    failed: list[tuple[int, str, str]] = field(default_factory=list)
    records: Sequence[Record] = ()
    columns: Sequence[tuple[str, Callable[[Record], tuple[Field, Any]]]] = ()

    @property
    def queries(self) -> bool:
        """Tell whether it is a query job."""
        return self.operation in ("query", "queryAll")

    def told(self, *, whole: bool) -> dict[str, Any]:
        """Give it as the API tells it; `whole` with how far it is."""
        base = f"services/data/v{self.version}.0/jobs/ingest/{self.id}/batches"
        facts: dict[str, Any] = {
            "id": self.id,
            "operation": self.operation,
            "object": self.kind,
            "createdById": self.user,
            "createdDate": show_moment(self.made),
            "systemModstamp": show_moment(self.changed),
            "state": self.state,
            **({} if self.queries else {"externalIdFieldName": self.key}),
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": Decimal(f"{self.version}.0"),
            **({} if self.queries else {"contentUrl": base}),
            "lineEnding": self.ending,
            "columnDelimiter": self.delimiter,
        }
        if not whole:
            return facts
        facts["jobType"] = "V2Query" if self.queries else "V2Ingest"
        processed = len(self.records) if self.queries else len(self.succeeded) + len(self.failed)
        facts |= {"numberRecordsProcessed": processed, "retries": 0, "totalProcessingTime": processed // 10}
        if self.queries:
            upper = self.query.upper()
            facts["isPkChunkingSupported"] = " ORDER BY " not in upper and " LIMIT " not in upper
        else:
            facts |= {
                "numberRecordsFailed": len(self.failed),
                "apiActiveProcessingTime": processed // 10,
                "apexProcessingTime": 0,
            }
        if self.error is not None:
            facts["errorMessage"] = self.error
        return facts


class Jobs:
    """All jobs of the org.

    Nothing runs in the background: what is due is carried out, a batch at a time, when somebody looks at a job.
    """

    def __init__(self, org: Org) -> None:
        """Start without jobs."""
        self._org = org
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        """Keep a new job."""
        self._jobs[job.id] = job

    def find(self, id: str, *, queries: bool) -> Job:
        """Give a job after doing what is due of it; refuses one that there is not, or not any more."""
        job = self._jobs.get(read_id(id) or "")
        if job is None or job.queries is not queries or job.made + _WEEK <= self._org.now():
            raise missing_resource()
        self.work(job)
        return job

    def of(self, *, queries: bool) -> list[Job]:
        """Give all jobs of one sort, the latest first."""
        return [job for job in reversed(self._jobs.values()) if job.queries is queries]

    def remove(self, job: Job) -> None:
        """Forget a job and its results."""
        del self._jobs[job.id]

    def told(self) -> list[dict[str, Any]]:
        """Give all jobs for the books, with all that is due done."""
        for job in self._jobs.values():
            while job.state in (UPLOADED, RUNNING) and self._org.clock.monotonic() >= job.due:
                self.work(job)
        return [job.told(whole=True) for job in self._jobs.values()]

    def start(self, job: Job) -> None:
        """Let a job be carried out when its time has come."""
        job.state, job.changed = UPLOADED, self._org.now()
        job.due = self._org.clock.monotonic() + self._org.settings.bulk_seconds

    def work(self, job: Job) -> None:
        """Carry a job on: at half of its time it is in progress, and when it is due, batch after batch is done."""
        now = self._org.clock.monotonic()
        if job.state == UPLOADED and now >= job.due - self._org.settings.bulk_seconds / 2:
            job.state = RUNNING
        if job.state != RUNNING or now < job.due:
            return
        acting, self._org.acting = self._org.acting, job.user
        try:
            self._query(job) if job.queries else self._batch(job)
        except (Refusal, tables.Unreadable) as error:
            job.state = FAILED
            job.error = f"InvalidBatch : {error.code}: {error.message}" if isinstance(error, Refusal) else str(error)
        finally:
            self._org.acting = acting
        job.changed = self._org.now()

    def _query(self, job: Job) -> None:
        found = run(self._org, job.query, deleted=job.operation == "queryAll")
        job.records = found.records
        job.columns = found.shape.columns() if found.shape is not None else ()
        job.state = DONE

    def _batch(self, job: Job) -> None:
        kind = self._org.schema.get(job.kind)
        if job.sheet is None:
            job.sheet = tables.read(job.content or b"", delimiter=job.delimiter, ending=job.ending)
            self._check_columns(job, kind, job.sheet)
            job.bodies = list(tables.bodies(job.sheet))
            if self._org.world.faults.hit(MIDWAY, method="POST", path=f"/jobs/ingest/{job.kind}"):
                job.breaks_at = len(job.bodies) // 2
        end = min(job.worked + self._org.settings.bulk_batch_rows, len(job.bodies))
        if job.breaks_at is not None and end > job.breaks_at:
            end = job.breaks_at
        seen = self._repeated(job, job.bodies[job.worked : end])
        for place in range(job.worked, end):
            self._row(job, kind, place, seen)
        job.worked = end
        if job.breaks_at == end:
            job.state, job.error = FAILED, _BROKEN
        elif end == len(job.bodies):
            job.state = DONE

    def _check_columns(self, job: Job, kind: Kind, sheet: tables.Sheet) -> None:
        for name in sheet.columns:
            parent, dot, _ = name.partition(".")
            known = any(one.relationship.lower() == parent.lower() for one in kind.fields.values() if one.refers_to)
            if (kind.field(name) is None and not dot) or (dot and not known):
                raise tables.Unreadable(f"InvalidBatch : Field name not found : {name}")
        wanted = job.key if job.operation == "upsert" else "Id" if job.operation != "insert" else None
        lower = {name.lower() for name in sheet.columns}
        if wanted is not None and wanted.lower() not in lower:
            raise tables.Unreadable(f"InvalidBatch : Missing required column: {wanted}")
        if job.operation in ("delete", "hardDelete") and lower != {"id"}:
            raise tables.Unreadable("InvalidBatch : Only the Id column is allowed in a delete")

    def _repeated(self, job: Job, bodies: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
        """Count how often each key stands in a batch: a key that comes twice is refused wherever it stands."""
        counts: dict[str, int] = {}
        if job.operation == "upsert" and job.key is not None:
            for body in bodies:
                value = _value(body, job.key)
                if value is not None:
                    counts[value.lower()] = counts.get(value.lower(), 0) + 1
        return counts

    def _row(self, job: Job, kind: Kind, place: int, seen: Mapping[str, int]) -> None:
        body, id = job.bodies[place], ""
        try:
            with self._org.store.all_or_nothing():
                id, created = self._write(job, kind, body, seen)
            job.succeeded.append((place, id, created))
        except Refusal as refusal:
            fields = " ".join(refusal.fields or ())
            job.failed.append((place, _value(body, "Id") or "", f"{refusal.code}:{refusal.message}:{fields} --"))

    def _write(self, job: Job, kind: Kind, body: Mapping[str, Any], seen: Mapping[str, int]) -> tuple[str, bool]:
        saver, manner = self._org.saver, Manner(user=job.user, from_text=True)
        own = _value(body, "Id")
        if job.operation == "insert":
            return saver.insert(kind, body, manner).id, True
        if job.operation == "upsert":
            assert job.key is not None
            return self._upsert(job.key, kind, body, seen, manner)
        if own is None:
            raise Refusal("MISSING_ARGUMENT", "Id not specified", fields=["Id"])
        id = read_id(own)
        if id is None:
            raise Refusal("MALFORMED_ID", f"malformed id {own}", fields=["Id"])
        if id not in self._org.store.table(kind.name).live:
            gone = id in self._org.store.table(kind.name).bin
            raise Refusal(
                "ENTITY_IS_DELETED" if gone else "INVALID_CROSS_REFERENCE_KEY",
                "entity is deleted" if gone else "invalid cross reference id",
                fields=[],
            )
        if job.operation == "update":
            rest = {name: value for name, value in body.items() if name.lower() != "id"}
            return saver.update(kind, id, rest, manner).id, False
        saver.delete(kind, id, manner)
        binned = self._org.store.in_bin(id)
        if job.operation == "hardDelete" and binned is not None:
            self._org.purge(binned, user=job.user)
        return id, False

    def _upsert(
        self, key: str, kind: Kind, body: Mapping[str, Any], seen: Mapping[str, int], manner: Manner
    ) -> tuple[str, bool]:
        value = _value(body, key)
        rest = {name: one for name, one in body.items() if name.lower() != key.lower()}
        if value is None:
            if key.lower() == "id":
                return self._org.saver.insert(kind, rest, manner).id, True
            raise Refusal("MISSING_ARGUMENT", f"{key} not specified", fields=[])
        if seen.get(value.lower(), 0) > 1:
            raise Refusal("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", fields=[key])
        try:
            saved = self._org.saver.upsert(kind, key, value, rest, manner)
        except Ambiguous as several:
            raise Refusal(
                "DUPLICATE_EXTERNAL_ID",
                f"{key}: more than one record found for external id field: {several.ids}",
                fields=[key],
            ) from several
        return saved.id, saved.created


def _value(body: Mapping[str, Any], name: str) -> str | None:
    return next((value for key, value in body.items() if key.lower() == name.lower()), None)
