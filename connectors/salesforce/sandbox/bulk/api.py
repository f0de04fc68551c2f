"""The addresses of bulk jobs: made, filled, closed, watched, and their results read."""

from __future__ import annotations

import base64
import binascii
from email import message_from_bytes
from email.policy import HTTP
from functools import partial
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.bulk import tables
from connectors.salesforce.sandbox.bulk.jobs import ABORTED, ENDED, OPEN, UPLOADED, Job
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.soql.conditions import unknown_source
from connectors.salesforce.sandbox.soql.running import refuse_in_bulk
from connectors.salesforce.sandbox.wire import Call, Reply, Router
from hub.sandbox.exact_json import loads

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

_INGESTS = frozenset({"insert", "update", "upsert", "delete", "hardDelete"})
#: Bytes of a file, and characters of one that comes with its job in one request.
_LARGEST, _LARGEST_AT_ONCE = 150 * 1024 * 1024, 100_000
_ROWS_OF_A_PAGE = 50_000
_PAGES = 5


class BulkApi:
    """Handlers of `/jobs/ingest` and `/jobs/query`."""

    def __init__(self, org: Org) -> None:
        """Take the org that is served."""
        self._org = org

    def add_to(self, router: Router) -> None:
        """Add the addresses."""
        router.add("GET", "/jobs/ingest", partial(self.listed, queries=False))
        router.add("POST", "/jobs/ingest", self.create)
        router.add("GET", "/jobs/ingest/{id}", partial(self.read, queries=False))
        router.add("PATCH", "/jobs/ingest/{id}", self.close)
        router.add("DELETE", "/jobs/ingest/{id}", partial(self.delete, queries=False))
        router.add("PUT", "/jobs/ingest/{id}/batches", self.upload)
        router.add("GET", "/jobs/ingest/{id}/successfulResults", self.successful)
        router.add("GET", "/jobs/ingest/{id}/failedResults", self.failed)
        router.add("GET", "/jobs/ingest/{id}/unprocessedrecords", self.unprocessed)
        router.add("GET", "/jobs/query", partial(self.listed, queries=True))
        router.add("POST", "/jobs/query", self.create_query)
        router.add("GET", "/jobs/query/{id}", partial(self.read, queries=True))
        router.add("PATCH", "/jobs/query/{id}", self.abort_query)
        router.add("DELETE", "/jobs/query/{id}", partial(self.delete, queries=True))
        router.add("GET", "/jobs/query/{id}/results", self.results)
        router.add("GET", "/jobs/query/{id}/resultPages", self.pages)

    def listed(self, call: Call, *, queries: bool) -> Reply:
        """List the jobs."""
        del call
        records = [job.told(whole=False) for job in self._org.jobs.of(queries=queries)]
        return Reply(body={"done": True, "nextRecordsUrl": None, "records": records})

    def create(self, call: Call) -> Reply:
        """Make an ingest job; a multipart request brings its file along and needs nothing more."""
        content: bytes | None = None
        kind_of_body = call.headers.get("content-type", "")
        if kind_of_body.lower().startswith("multipart/form-data"):
            said, content = _parts(kind_of_body, call.body)
        else:
            said = call.object()
        job = self._new(call, said)
        self._org.jobs.add(job)
        if content is not None:
            job.content = content
            self._org.jobs.start(job)
        return Reply(body=job.told(whole=False))

    def _new(self, call: Call, said: dict[str, Any]) -> Job:
        operation = str(said.get("operation"))
        if operation not in _INGESTS:
            raise Refusal("INVALIDOPERATION", f"Unsupported operation: {operation}")
        kind = self._org.schema.find(str(said.get("object", "")))
        if kind is None or not kind.writable:
            raise Refusal("INVALIDENTITY", f"Unable to find object: {said.get('object')}")
        key = said.get("externalIdFieldName")
        if operation == "upsert":
            field = kind.field(str(key)) if key else None
            if field is None or not field.key:
                raise Refusal("INVALIDJOB", f"Field name provided does not match an External ID for {kind.name}: {key}")
            key = field.name
        delimiter, ending = _format(said)
        return Job(
            id=self._org.ids.next("750"),
            operation=operation,
            kind=kind.name,
            key=key if operation == "upsert" else None,
            delimiter=delimiter,
            ending=ending,
            version=call.version,
            user=call.user,
            made=self._org.now(),
            changed=self._org.now(),
            state=OPEN,
        )

    def upload(self, call: Call, id: str) -> Reply:
        """Take a job's file, once."""
        job = self._org.jobs.find(id, queries=False)
        kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/csv":
            raise Refusal("UNSUPPORTED_MEDIA_TYPE", f"Content type {kind} not supported, use text/csv", status=415)
        if job.state != OPEN or job.content is not None:
            raise Refusal(
                "INVALIDJOBSTATE", f"Found multiple contents for job: <{job.id}>, please 'Close' / 'Abort' it"
            )
        if len(call.body) > _LARGEST:
            raise Refusal("FILE_SIZE_LIMIT_EXCEEDED", "A job's file is at most 150 MB", status=413)
        job.content = call.body
        return Reply(status=201)

    def close(self, call: Call, id: str) -> Reply:
        """Let a job begin, or abort it."""
        job, state = self._org.jobs.find(id, queries=False), call.object().get("state")
        if state == UPLOADED and job.state == OPEN:
            if job.content is None:
                raise Refusal("INVALIDJOBSTATE", f"No content was uploaded for job: {job.id}")
            self._count_rows(job)
            self._org.jobs.start(job)
        elif state == ABORTED and job.state not in ENDED:
            job.state, job.changed = ABORTED, self._org.now()
        else:
            raise Refusal("INVALIDJOBSTATE", f"Job {job.id} is {job.state} and cannot become {state}")
        return Reply(body=job.told(whole=False))

    def _count_rows(self, job: Job) -> None:
        usage = self._org.usage
        rows = max((job.content or b"").count(b"\n") - 1, 0)
        if usage.bulk_records + rows > self._org.settings.daily_bulk_records:
            raise Refusal("LIMIT_EXCEEDED", "ApiBatchItems Limit exceeded.")
        usage.bulk_records += rows

    def read(self, call: Call, id: str, *, queries: bool) -> Reply:
        """Tell how far a job is."""
        del call
        return Reply(body=self._org.jobs.find(id, queries=queries).told(whole=True))

    def delete(self, call: Call, id: str, *, queries: bool) -> Reply:
        """Forget a job that has ended."""
        del call
        job = self._org.jobs.find(id, queries=queries)
        if job.state not in ENDED:
            raise Refusal("INVALIDJOBSTATE", f"Job {job.id} is {job.state}; only a job that has ended can be deleted")
        self._org.jobs.remove(job)
        return Reply(status=204)

    def successful(self, call: Call, id: str) -> Reply:
        """Give the rows that were written, with the ids they got."""
        del call
        job, sheet = self._ended(id)
        rows = [[one, str(created).lower(), *sheet.rows[place]] for place, one, created in job.succeeded]
        return _csv(job, ["sf__Id", "sf__Created", *sheet.columns], rows)

    def failed(self, call: Call, id: str) -> Reply:
        """Give the rows that were refused, with the reasons."""
        del call
        job, sheet = self._ended(id)
        rows = [[one, error, *sheet.rows[place]] for place, one, error in job.failed]
        return _csv(job, ["sf__Id", "sf__Error", *sheet.columns], rows)

    def unprocessed(self, call: Call, id: str) -> Reply:
        """Give the rows that were never tried, because the job ended before."""
        del call
        job, sheet = self._ended(id)
        return _csv(job, sheet.columns, sheet.rows[job.worked :])

    def _ended(self, id: str) -> tuple[Job, tables.Sheet]:
        job = self._org.jobs.find(id, queries=False)
        if job.state not in ENDED:
            raise Refusal("INVALIDJOBSTATE", f"Job {job.id} is {job.state}; its results are there when it has ended")
        return job, job.sheet or _sheet(job)

    def create_query(self, call: Call) -> Reply:
        """Make a query job, which begins at once."""
        said = call.object()
        operation, text = str(said.get("operation")), said.get("query")
        if operation not in ("query", "queryAll"):
            raise Refusal("INVALIDOPERATION", f"Unsupported operation: {operation}")
        if not isinstance(text, str):
            raise Refusal("INVALIDJOB", "query is required")
        usage = self._org.usage
        if usage.query_jobs >= self._org.settings.daily_query_jobs:
            raise Refusal("LIMIT_EXCEEDED", "Daily Bulk V2 query jobs limit exceeded.")
        query = refuse_in_bulk(text)
        kind = self._org.schema.find(query.source)
        if kind is None:
            raise unknown_source(text, query.source_place, query.source)
        usage.query_jobs += 1
        delimiter, ending = _format(said)
        job = Job(
            id=self._org.ids.next("750"),
            operation=operation,
            kind=kind.name,
            query=text,
            delimiter=delimiter,
            ending=ending,
            version=call.version,
            user=call.user,
            made=self._org.now(),
            changed=self._org.now(),
            state=UPLOADED,
        )
        self._org.jobs.add(job)
        self._org.jobs.start(job)
        return Reply(body=job.told(whole=False))

    def abort_query(self, call: Call, id: str) -> Reply:
        """Abort a query job."""
        job = self._org.jobs.find(id, queries=True)
        if call.object().get("state") != ABORTED or job.state in ENDED:
            raise Refusal("INVALIDJOBSTATE", f"Job {job.id} is {job.state}; it can only be aborted before it ends")
        job.state, job.changed = ABORTED, self._org.now()
        return Reply(body=job.told(whole=False))

    def results(self, call: Call, id: str) -> Reply:
        """Give a page of a query's rows; every page begins with the header."""
        job = self._finished_query(call, id)
        begin = self._place(job, call.query.get("locator"))
        asked = call.query.get("maxRecords", str(_ROWS_OF_A_PAGE))
        if not asked.isdigit() or int(asked) < 1:
            raise Refusal("ILLEGAL_QUERY_PARAMETER_VALUE", f"maxRecords is not a number of records: {asked}")
        end = min(begin + int(asked), len(job.records))
        rows = [[tables.cell(*get(record)) for _, get in job.columns] for record in job.records[begin:end]]
        headers = {
            "Sforce-Locator": _locator(end) if end < len(job.records) else "null",
            "Sforce-NumberOfRecords": str(len(rows)),
        }
        reply = _csv(job, [name for name, _ in job.columns], rows)
        return Reply(text=reply.text, content_type=reply.content_type, headers=headers)

    def pages(self, call: Call, id: str) -> Reply:
        """Give the addresses of pages, so that they can be read at the same time."""
        job = self._finished_query(call, id)
        begin = self._place(job, call.query.get("locator"))
        begins = list(range(begin, max(len(job.records), begin + 1), _ROWS_OF_A_PAGE))
        there = f"{call.base}/jobs/query/{job.id}"
        links = [
            {"resultLink": f"{there}/results" + (f"?locator={_locator(place)}" if place else "")}
            for place in begins[:_PAGES]
        ]
        done = len(begins) <= _PAGES
        more = None if done else f"{there}/resultPages?locator={_locator(begins[_PAGES])}"
        return Reply(body={"resultPages": links, "nextRecordsUrl": more, "done": done})

    def _finished_query(self, call: Call, id: str) -> Job:
        job = self._org.jobs.find(id, queries=True)
        if job.version != call.version:
            raise Refusal(
                "VERSION_MISMATCH", f"The job was made with version {job.version}.0 of the API; read it so", status=409
            )
        if job.state != "JobComplete":
            raise Refusal("INVALIDJOBSTATE", f"Job {job.id} is {job.state}; its results are there when it is complete")
        return job

    def _place(self, job: Job, locator: str | None) -> int:
        if not locator:
            return 0
        try:
            place = int(base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)))
        except (ValueError, binascii.Error):
            place = -1
        if not 0 <= place < max(len(job.records), 1):
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        return place


def _locator(place: int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def _sheet(job: Job) -> tables.Sheet:
    """Give the file of a job that was never read; nothing where it cannot be."""
    try:
        return tables.read(job.content or b"", delimiter=job.delimiter, ending=job.ending)
    except tables.Unreadable:
        return tables.Sheet(columns=[], rows=[])


def _csv(job: Job, columns: Any, rows: Any) -> Reply:
    text = tables.write(columns, rows, delimiter=job.delimiter, ending=job.ending)
    return Reply(text=text, content_type="text/csv")


def _format(said: dict[str, Any]) -> tuple[str, str]:
    if said.get("contentType", "CSV") != "CSV":
        raise Refusal("INVALIDJOB", f"Unsupported content type: {said.get('contentType')}")
    delimiter, ending = str(said.get("columnDelimiter", "COMMA")), str(said.get("lineEnding", "LF"))
    if delimiter not in tables.DELIMITERS:
        raise Refusal("INVALIDJOB", f"Unsupported column delimiter: {delimiter}")
    if ending not in tables.ENDINGS:
        raise Refusal("INVALIDJOB", f"Unsupported line ending: {ending}")
    return delimiter, ending


def _parts(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Read a multipart request: the job as JSON, and its file."""
    if len(body) > _LARGEST_AT_ONCE * 4:
        raise Refusal("INVALIDJOB", f"A multipart job has at most {_LARGEST_AT_ONCE} characters")
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=HTTP)
    found: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        found[str(name)] = payload if isinstance(payload, bytes) else b""
    try:
        said = loads(found.get("job", b""))
    except ValueError as error:
        raise Refusal("INVALIDJOB", "The part named job is no JSON") from error
    if not isinstance(said, dict) or "content" not in found:
        raise Refusal("INVALIDJOB", "A multipart job has two parts: job and content")
    return said, found["content"]
