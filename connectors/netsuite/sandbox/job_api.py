"""The addresses under which jobs, their tasks and the tasks' answers are read."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.jobs import ASYNC, Job, Task
from connectors.netsuite.sandbox.problems import Refusal, nonexistent
from connectors.netsuite.sandbox.rendering import moment
from hub.sandbox.exact_json import json_answer


class JobApi:
    """Handlers of one account's asynchronous service."""

    def __init__(self, account: Account) -> None:
        """Take the account that is served."""
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        """Give the addresses."""
        one, task = f"{ASYNC}/{{job}}", f"{ASYNC}/{{job}}/task/{{task}}"
        return [
            web.get(one, self.job),
            web.get(f"{one}/task", self.tasks),
            web.get(f"{one}/task/", self.tasks),
            web.get(task, self.task),
            web.get(f"{task}/result", self.result),
        ]

    async def job(self, request: web.Request) -> web.Response:
        """Tell how far a job is, and where its tasks are."""
        job = self._job(request)
        return json_answer(
            {
                "links": self._links(f"{job.id}"),
                "completed": job.completed,
                "id": job.id,
                "progress": job.progress,
                "task": {"links": self._links(f"{job.id}/task")},
            }
        )

    async def tasks(self, request: web.Request) -> web.Response:
        """List a job's tasks as links."""
        job = self._job(request)
        return json_answer(
            {
                "links": self._links(f"{job.id}/task"),
                "items": [{"links": self._links(f"{job.id}/task/{task.id}")} for task in job.tasks],
                "totalResults": len(job.tasks),
            }
        )

    async def task(self, request: web.Request) -> web.Response:
        """Tell how far a task is; its result is linked once there is one."""
        job = self._job(request)
        task = self._task(job, request)
        body: dict[str, Any] = {
            "links": self._links(f"{job.id}/task/{task.id}"),
            "completed": task.answer is not None,
            "id": task.id,
            "progress": task.progress,
        }
        if task.begun is not None and task.ended is not None:
            body |= {"startTime": moment(task.begun), "endTime": moment(task.ended)}
            result = f"{self._account.world.url}{ASYNC}/{job.id}/task/{task.id}/result"
            body["links"] = [*body["links"], {"rel": "related", "href": result}]
        return json_answer(body)

    async def result(self, request: web.Request) -> web.Response:
        """Answer as the request itself would have been answered."""
        task = self._task(self._job(request), request)
        if task.answer is None:
            raise Refusal("The task is not completed yet.", code="INVALID_REQUEST")
        answer = task.answer
        return web.Response(status=answer.status, body=answer.body, headers=_own_headers(answer))

    def _job(self, request: web.Request) -> Job:
        job = self._account.jobs.find(request.match_info["job"])
        if job is None:
            raise nonexistent(request.match_info["job"])
        return job

    def _task(self, job: Job, request: web.Request) -> Task:
        for task in job.tasks:
            if task.id == request.match_info["task"]:
                return task
        raise nonexistent(f"{job.id}/task/{request.match_info['task']}")

    def _links(self, below: str) -> list[dict[str, str]]:
        return [{"rel": "self", "href": f"{self._account.world.url}{ASYNC}/{below}"}]


def _own_headers(answer: web.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name in ("Content-Type", "Location", "Warning")}
