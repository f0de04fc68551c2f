"""Bulk API 2.0: thousands of records written by one job, whose outcome is read row by row.

`bulk.submit` makes a job, gives it the table and lets it begin: several calls, all made of one recorded request, and so
few that they end in seconds. What the job then does takes minutes; `bulk.read` looks for it, and its step's retry
policy repeats that until the job has ended. Whatever breaks in between, the job's id is recorded, and the job goes on.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.salesforce import csv_files, currency_writes
from connectors.salesforce.amounts import CURRENCY, LINES
from connectors.salesforce.answers import is_id, moment
from connectors.salesforce.client import following, reading, record_id, settings_of, writing
from connectors.salesforce.describing import described
from connectors.salesforce.failures import kebab
from connectors.salesforce.keyed import all_keyed
from connectors.salesforce.reads import EXTERNAL, ID, NAME
from connectors.salesforce.row_results import FAILED, REFUSED, UNPROCESSED
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.writes import FIELDS
from hub.sdk.answers import read_object
from hub.sdk.by_content import ByContent, Sought
from hub.sdk.calls import Calls, Course, carried
from hub.sdk.connector import ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown, RetryLater
from hub.sdk.exact_json import dumps, loads
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

#: Records of one job, and bytes of its table: what is recorded of a write stays in the hub's database.
MOST_RECORDS, MOST_BYTES = 50_000, 20_000_000
#: A table of fewer bytes comes with its job in one request.
AT_ONCE = 90_000
#: Seconds until a job that may be the one looked for, and has not ended, is asked about again.
NEXT_LOOK = 2.0
_ENDED = frozenset({"JobComplete", "Failed", "Aborted"})
_WORKING = frozenset({"Open", "UploadComplete", "InProgress"})
#: The effect's key among the headers.
_EFFECT = "x-concord-effect"


def submit_request(settings: SalesforceSettings, record: Record, key: EffectKey) -> Request:
    """Form the job with its table in one request, of which the calls are made; `FixData` for what is too large.

    Salesforce keeps no key for jobs, and a job no mark; the effect's stands in a header that only people may heed. So
    an earlier job is found by its table and its time, see `find`.
    """
    found = all_keyed(settings, record)
    object, field = found[0].object, found[0].field
    rows = [{**row.fields, field: row.value} for row in found]
    content = csv_files.table(rows, field)
    if len(content) > MOST_BYTES:
        raise FixData(
            "The table is too large for one job; write the records in several.",
            code="too-large",
            bytes=len(content),
            most=MOST_BYTES,
        )
    job = {
        "object": object,
        "operation": "upsert",
        "externalIdFieldName": field,
        "contentType": "CSV",
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    }
    asked = writing(settings, "POST", "jobs", "ingest", body=job)
    return _with_table(replace(asked, headers={**asked.headers, _EFFECT: key}), asked.body, content)


def _with_table(request: Request, job: bytes, content: bytes) -> Request:
    """Form the request that makes a job together with its table."""
    parts = (
        b'--%s\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name="job"\r\n\r\n%s\r\n'
        b"--%s\r\nContent-Type: text/csv; charset=UTF-8\r\n"
        b'Content-Disposition: form-data; name="content"; filename="content"\r\n\r\n%s\r\n--%s--\r\n'
    )
    # Made of the table, so that nothing in it can be taken for its end.
    boundary = hashlib.sha256(content).hexdigest().encode()
    headers = {**request.headers, "content-type": f"multipart/form-data; boundary={boundary.decode()}"}
    return replace(request, headers=headers, body=parts % (boundary, job, boundary, content, boundary))


def calls(settings: SalesforceSettings, request: Request) -> Calls:
    """Go through the calls that a job takes: one for a small table, three for a large one.

    Whether the org has a field for the currency is asked first, where the settings say that it has one alone: a job
    does not refuse the field before it is at work. A job that was made and not filled writes nothing, and Salesforce
    drops it in time.
    """
    job, content = _parts(request)
    names, rows = csv_files.of_text(content.decode())
    object = str(loads(job)["object"])
    if settings.currency and CURRENCY in names and not (yield from currency_writes.has_several(settings, object)):
        content = csv_files.without(CURRENCY, names, rows)
        request = _with_table(request, job, content)
    if len(content) <= AT_ONCE:
        return (yield request)
    made = yield writing(settings, "POST", "jobs", "ingest", body=loads(job))
    id = _job(made)["id"]
    upload = writing(settings, "PUT", "jobs", "ingest", id, "batches")
    headers = {**upload.headers, "content-type": "text/csv; charset=UTF-8"}
    filled = yield Request(method="PUT", url=upload.url, headers=headers, body=content)
    if filled.status != 201:
        raise OutcomeUnknown("The table was answered otherwise.", code="unreadable-answer", status=filled.status)
    return (yield writing(settings, "PATCH", "jobs", "ingest", id, body={"state": "UploadComplete"}))


def name(request: Request) -> str:
    """Name a recorded job by its table, in whatever order that is, and by what is done with it."""
    job, content = _parts(request)
    rows = sorted(sorted(row) for row in _content(*csv_files.of_text(content.decode())).elements())
    return hashlib.sha256(dumps([loads(job), rows])).hexdigest()


def find(settings: SalesforceSettings, request: Request, sought: Sought) -> Course[Record | None]:
    """Look for a job that was given this very table, the oldest one that can be this write's; None where there is none.

    The same table may have been written before, with something else in between: a job made before this write could
    leave, or that another write has for its own, says nothing of this one. What a job was given can be read once it has
    ended: `OutcomeUnknown` while one that may be it is at work.
    """
    job, content = _parts(request)
    wanted = loads(job)
    names, rows = csv_files.of_text(content.decode())
    # An org with one currency was given the table without it.
    ours = (_content(names, rows), _content(*csv_files.of_text(csv_files.without(CURRENCY, names, rows).decode())))
    taken = {str(output["id"])[:15] for output in sought.taken}
    for id in (yield from _alike(settings, wanted, sought.since)):
        if id[:15] in taken:
            continue
        told = _job((yield reading(settings, "jobs", "ingest", id)))
        if told["state"] not in _ENDED:
            raise OutcomeUnknown(
                "A job that may be this one is at work.",
                code="job-unfinished",
                after=NEXT_LOOK,
                job=id,
                state=told["state"],
            )
        if int(told.get("numberRecordsProcessed") or 0) > len(rows):
            continue
        theirs: Counter[frozenset[tuple[str, str]]] = Counter()
        for below in ("successfulResults", "failedResults", "unprocessedrecords"):
            theirs.update(_content(*csv_files.read((yield _table(settings, id, below)))))
        if theirs in ours:
            return {"id": id}
    return None


def _alike(settings: SalesforceSettings, wanted: Mapping[str, Any], since: datetime) -> Course[list[str]]:
    """Go through the list of jobs; gives those since then that write the same object in the same way, the oldest first.

    One that is still open has begun nothing and never will.
    """
    found: list[tuple[datetime, str]] = []
    request = reading(settings, "jobs", "ingest", query={"jobType": "V2Ingest"})
    while True:
        answer = read_object((yield request))
        jobs = answer.get("records")
        if not isinstance(jobs, list) or not all(isinstance(job, dict) and is_id(job.get("id")) for job in jobs):
            raise OutcomeUnknown("The list of jobs cannot be read.", code="unreadable-answer")
        for job in jobs:
            same = all(job.get(name) == wanted[name] for name in ("object", "operation", "externalIdFieldName"))
            if same and job.get("state") in (_ENDED | _WORKING) - {"Open", "Aborted"}:
                made = moment(job.get("createdDate"))
                if made >= since:
                    found.append((made, job["id"]))
        if answer.get("done") is not False:
            return [id for _, id in sorted(found)]
        request = following(settings, answer.get("nextRecordsUrl"))


def _content(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Counter[frozenset[tuple[str, str]]]:
    """Give what a table says, in whatever order: its cells that are not empty, row by row."""
    return Counter(
        frozenset((name, cell) for name, cell in zip(names, row, strict=True) if cell and not name.startswith("sf__"))
        for row in rows
    )


def _table(settings: SalesforceSettings, id: str, below: str) -> Request:
    request = reading(settings, "jobs", "ingest", id, below)
    return Request(method="GET", url=request.url, headers={**request.headers, "accept": "text/csv"})


def submit_result(response: Response) -> Record:
    """Give the id of the job that has begun."""
    job = _job(response)
    if job["state"] not in (_WORKING | _ENDED) - {"Open"}:
        raise OutcomeUnknown("The job has not begun.", code="unreadable-answer", state=job["state"])
    return {"id": job["id"]}


async def read(session: Session, wanted: Record) -> Record:
    """Read what became of a job's records; raises `RetryLater` as `job-unfinished` until it has ended.

    How soon it is asked about again, the step's retry policy says: a job takes seconds, or hours.
    Rows come in no order, and each is named by its external id. A job that has failed may have written some.
    """
    settings = settings_of(session)
    id = record_id(wanted["id"])
    job = _job(await session.send(reading(settings, "jobs", "ingest", id)))
    if job["id"][:15] != id[:15]:
        raise OutcomeUnknown("The answer is about another job.", code="foreign-answer", job=job["id"])
    if job["state"] not in _ENDED:
        raise RetryLater(
            "Salesforce has not finished the job.",
            code="job-unfinished",
            job=id,
            state=job["state"],
            processed=job.get("numberRecordsProcessed", 0),
        )
    key = str(job.get("externalIdFieldName") or "Id")
    names, done = await _rows(session, id, "successfulResults", key)
    _, failed = await _rows(session, id, "failedResults", key)
    _, left = ([], []) if job["state"] == "JobComplete" else await _rows(session, id, "unprocessedrecords", key)
    processed, refused = job.get("numberRecordsProcessed"), job.get("numberRecordsFailed")
    if job["state"] == "JobComplete" and (processed, refused) != (len(done) + len(failed), len(failed)):
        raise OutcomeUnknown("The job's results are not whole.", code="unreadable-answer", job=id)
    await _assert_in_its_currency(session, job, names)
    found: dict[str, Any] = {
        "id": job["id"],
        "state": job["state"],
        "written": len(done),
        "failed": [{"value": row["value"], **_refusal(row["error"])} for row in failed],
        "unprocessed": [row["value"] for row in left],
    }
    if job.get("errorMessage"):
        found["reason"] = str(job["errorMessage"])[:500]
    if wanted.get("with_ids"):
        found["ids"] = {row["value"]: row["id"] for row in done}
    return found


async def _assert_in_its_currency(session: Session, job: Mapping[str, Any], names: Sequence[str]) -> None:
    """Assert that the org had one currency until a job that named none had ended; raises `FixData` as `no-currency`.

    Which columns hold amounts, the org says: the settings need not know its own fields.
    """
    settings, object = settings_of(session), str(job.get("object"))
    if not settings.currency or CURRENCY in names or object in LINES:
        return
    if not await carried(currency_writes.has_several(settings, object), session.send):
        return
    types = {str(field.get("name")): field.get("type") for field in (await described(session, object))["fields"]}
    amounts = sorted(name for name in names if types.get(name) == "currency")
    if amounts:
        raise FixData(
            "The org has several currencies, and the job named none: what it made may be in that of the user. Order "
            "the job once more.",
            code="no-currency",
            advice=f"Name those that the connector does not know in the setting `amounts`, or `{CURRENCY}` with them.",
            job=job["id"],
            fields=", ".join(amounts),
        )


async def _rows(session: Session, id: str, below: str, key: str) -> tuple[list[str], list[dict[str, str]]]:
    names, rows = csv_files.read(await session.send(_table(settings_of(session), id, below)))
    return names, [_row(names, row, key) for row in rows]


def _row(names: Sequence[str], row: Sequence[str], key: str) -> dict[str, str]:
    cells = dict(zip(names, row, strict=True))
    if not cells.get(key):
        raise OutcomeUnknown("A row of the results has no id.", code="unreadable-answer", field=key)
    return {"value": cells[key], "id": cells.get("sf__Id", ""), "error": cells.get("sf__Error", "")}


def _refusal(told: str) -> dict[str, str]:
    code, _, reason = told.partition(":")
    return {"code": kebab(code.strip())[:80] or REFUSED, "reason": reason.strip()[:500]}


def _job(response: Response) -> dict[str, Any]:
    job = read_object(response)
    if not is_id(job.get("id")) or not isinstance(job.get("state"), str):
        raise OutcomeUnknown("The answer is not a job.", code="unreadable-answer", status=response.status)
    return job


def _parts(request: Request) -> tuple[bytes, bytes]:
    """Take a recorded request apart: the job and its table."""
    boundary = request.headers["content-type"].rpartition("=")[2].encode()
    _, job, content = request.body.split(b"--%s\r\n" % boundary, 2)
    table = content.partition(b"\r\n\r\n")[2]
    return job.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n"), table.rpartition(b"\r\n--%s--" % boundary)[0]


_RECORDS: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"value": EXTERNAL, "fields": FIELDS},
        "required": ["value", "fields"],
        "additionalProperties": False,
    },
    "minItems": 1,
    "maxItems": MOST_RECORDS,
}
SUBMIT = WriteOperation(
    name="bulk.submit",
    title="Write fields of thousands of records under their external ids, by a job",
    input={
        "type": "object",
        "properties": {"object": NAME, "field": NAME, "records": _RECORDS},
        "required": ["object", "records"],
        "additionalProperties": False,
    },
    output={
        "type": "object",
        "properties": {"id": {"type": "string"}},
        "required": ["id"],
        "additionalProperties": False,
    },
    idempotency=Idempotency.NATIVE,
    request=submit_request,
    result=submit_result,
    calls=calls,
    by_content=ByContent(name=name, find=find),
    # Salesforce keeps no key: what was sent before is always looked for first.
    remembers=0.0,
)
READ = ReadOperation(
    name="bulk.read",
    title="Read what became of the records of a job",
    input={
        "type": "object",
        "properties": {"id": ID, "with_ids": {"type": "boolean"}},
        "required": ["id"],
        "additionalProperties": False,
    },
    output={
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "state": {"type": "string"},
            "written": {"type": "integer"},
            "failed": FAILED,
            "unprocessed": UNPROCESSED,
            "reason": {"type": "string"},
            "ids": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "required": ["id", "state", "written", "failed", "unprocessed"],
        "additionalProperties": False,
    },
    read=read,
)
