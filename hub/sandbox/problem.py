"""A failure that the kit asks a vendor to put into the vendor's own words."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from hub.sandbox.exact_json import json_answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong: the HTTP status, why (`fault`, `rate`, `concurrency` or `crash`), and the wait to advise."""

    status: int
    reason: str
    detail: str
    retry_after: str | None = None


def plain_problem(problem: Problem) -> web.Response:
    """Answer in no vendor's words; a vendor's own renderer takes its place."""
    headers = {} if problem.retry_after is None else {"Retry-After": problem.retry_after}
    body = {"status": problem.status, "reason": problem.reason, "detail": problem.detail}
    return json_answer(body, status=problem.status, headers=headers)
