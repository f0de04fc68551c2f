"""Asynchronous jobs: up to a hundred records of one type written by one request, once for each idempotency key.

NetSuite answers a batch with the job alone. What became of each record is read later, task by task, and a task's
result names a record by the id it got, if at all: so this is a write of its own, and no way of making other writes many
at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.netsuite.answers import written
from connectors.netsuite.client import (
    IDEMPOTENCY_KEY,
    JOBS,
    RECORDS,
    idempotency_key,
    settings_of,
    strict_write,
    sublists,
)
from connectors.netsuite.failures import job_of
from connectors.netsuite.settings import NetSuiteSettings
from hub.sdk.answers import read_object
from hub.sdk.connector import ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown, RetryLater
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

COLLECTION = "application/vnd.oracle.resource+json; type=collection"
LARGEST = 100
#: Seconds until an unfinished job is asked about again.
NEXT_LOOK = 5.0
_METHODS: Mapping[str, str] = {"create": "POST", "change": "PATCH", "upsert": "PUT"}
_TASK = re.compile(r"/task/([A-Za-z0-9_-]+)/?$")


def submit_request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
    """Form the batch; the effect key becomes the idempotency key."""
    items = [_item(item, record["action"]) for item in record["records"]]
    replaced = ",".join(record.get("replace", ()))
    url = f"{settings.base_url}{RECORDS}/{record['type']}" + (f"?replace={replaced}" if replaced else "")
    headers = {
        "content-type": COLLECTION,
        "prefer": "respond-async",
        IDEMPOTENCY_KEY: idempotency_key(key),
    }
    return strict_write(_METHODS[record["action"]], url, {"items": items}, headers)


def submit_result(response: Response) -> Record:
    """Give the id of the job that was begun, by this request or by an earlier one with the same key."""
    job = job_of(response)
    if response.status not in (202, 400) or job is None:
        raise OutcomeUnknown("The batch was answered without naming its job.", code="no-job", status=response.status)
    return {"id": job}


async def read(session: Session, wanted: Record) -> Record:
    """Read what became of a job's records; raises `RetryLater` as `job-unfinished` until all are done."""
    job = wanted["id"]
    state = await _ask(session, job)
    if state.get("completed") is not True:
        raise RetryLater(
            "NetSuite has not finished the job.",
            code="job-unfinished",
            after=NEXT_LOOK,
            job=job,
            progress=str(state.get("progress", "")),
        )
    listed = await _ask(session, f"{job}/task")
    tasks = [_task_of(item) for item in listed.get("items") or []]
    if not tasks:
        raise OutcomeUnknown("The job names none of its tasks.", code="unreadable-answer", job=job)
    return {
        "id": job,
        "progress": str(state.get("progress", "")),
        "results": [await _result(session, job, task) for task in tasks],
    }


async def _result(session: Session, job: str, task: str) -> Record:
    state = await _ask(session, f"{job}/task/{task}")
    try:
        response = await session.send(_look(session, f"{job}/task/{task}/result"))
    except (FixData, OutcomeUnknown) as error:
        # The answer is the record's own, unless the task says that it went well.
        if state.get("progress") != "failed" or "status" not in error.facts:
            raise
        told = {name: error.facts[name] for name in ("reason", "path") if error.facts.get(name)}
        return {"task": task, "error": {"code": error.code, **told}}
    return {"task": task, **written(response)}


async def _ask(session: Session, below: str) -> dict[str, Any]:
    return read_object(await session.send(_look(session, below)))


def _look(session: Session, below: str) -> Request:
    return Request(method="GET", url=f"{settings_of(session).base_url}{JOBS}/{below}")


def _task_of(item: Any) -> str:
    try:
        found = _TASK.search(item["links"][0]["href"])
    except (KeyError, IndexError, TypeError):
        found = None
    if found is None:
        raise OutcomeUnknown("A task of the job cannot be read.", code="unreadable-answer")
    return found[1]


def _item(item: Mapping[str, Any], action: str) -> Mapping[str, Any]:
    needed = {"change": "id", "upsert": "externalId"}.get(action)
    if needed is not None and not item.get(needed):
        raise FixData(f"Each record to {action} needs its `{needed}`.", code="nameless-record", action=action)
    lists = [name for name, value in item.items() if isinstance(value, list | tuple)]
    return sublists({name: value for name, value in item.items() if name != "links"}, *lists)


SUBMIT = WriteOperation(
    name="job.submit",
    title="Write up to a hundred records of one type asynchronously",
    input={
        "type": "object",
        "properties": {
            "type": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"},
            "action": {"enum": list(_METHODS)},
            "records": {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": LARGEST},
            "replace": {"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"}},
        },
        "required": ["type", "action", "records"],
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
)
READ = ReadOperation(
    name="job.read",
    title="Read what became of an asynchronous job's records",
    input={
        "type": "object",
        "properties": {"id": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}},
        "required": ["id"],
        "additionalProperties": False,
    },
    output={
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "progress": {"type": "string"},
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "task": {"type": "string"},
                        "id": {"type": "string"},
                        "error": {
                            "type": "object",
                            "properties": {
                                "code": {"type": "string"},
                                "reason": {"type": "string"},
                                "path": {"type": "string"},
                            },
                            "required": ["code"],
                            "additionalProperties": False,
                        },
                    },
                    "required": ["task"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["id", "progress", "results"],
        "additionalProperties": False,
    },
    read=read,
)
