"""A write for which a vendor needs several calls: a pure course through them, which whoever sends takes step by step.

What is recorded of such a write is one request, from which every call is made: a repeat after a crash makes the very
same calls again. So each call must be harmless when it is repeated, by a key of its own that is made of the effect's,
or by a name that the vendor takes once. What the vendor refuses is raised inside the course, which lets it pass where
nothing was changed yet; where something was, a refusal does not say that nothing was done, and the course raises it as
`half_way`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from hub.errors import FixData, HubError, OutcomeParked, Refused
from hub.model.exchange import Request, Response

Given = TypeVar("Given")
#: Yields requests, is sent their answers, and returns something in the end.
Course = Generator[Request, Response, Given]
#: The course of a write: its last answer is what the write gives.
Calls = Course[Response]


def alone(request: Request) -> Calls:
    """Give the course of a write that is one call."""
    return (yield request)


def half_way(error: HubError) -> HubError:
    """Give an error of a later call as one that leaves the write open: an earlier call has changed something.

    A refusal is one for a person, because a repeat would be refused too.
    """
    if isinstance(error, FixData | Refused):
        error = OutcomeParked(f"A part of it was done, and the rest was refused: {error.detail}", **_told(error))
    error.begun = True
    return error


def _told(error: HubError) -> dict[str, Any]:
    return {"code": error.code, **error.facts}


async def carried(course: Course[Given], send: Callable[[Request], Awaitable[Response]]) -> Given:
    """Go through a course; `send` raises what an answer stands for, and that is raised inside the course."""
    try:
        asked = next(course)
        while True:
            try:
                answer = await send(asked)
            except HubError as error:
                asked = course.throw(error)
            else:
                asked = course.send(answer)
    except StopIteration as end:
        given: Given = end.value
        return given
