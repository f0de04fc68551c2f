"""Batches of OData v4 that are JSON: one group of changes that holds together, and a read behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.s4hana.odata.answers import unshown
from connectors.s4hana.odata.model import EntitySet
from connectors.s4hana.odata.requests import KIND, Change
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import canonical, loads
from hub.sdk.values import Request, Response

_GROUP = "changes"
#: What a request says whose group failed for another one's sake.
_FAILED_DEPENDENCY = 424


def changing(base: str, entity: EntitySet, changes: Sequence[Change], *, shown: str = "") -> Request:
    """Form the request that makes all changes and then reads `shown`; the same changes give the same bytes."""
    kind = KIND[entity.version]
    parts: list[dict[str, Any]] = [
        {
            "id": str(place),
            "atomicityGroup": _GROUP,
            "method": change.method,
            "url": change.path,
            "headers": {"accept": kind, "content-type": kind, **({"if-match": change.match} if change.match else {})},
            "body": change.body,
        }
        for place, change in enumerate(changes, start=1)
    ]
    if shown:
        parts.append({"id": str(len(parts) + 1), "method": "GET", "url": shown, "headers": {"accept": kind}})
    return Request(
        method="POST",
        url=f"{base}{entity.root}/$batch",
        headers={"accept": "application/json", "content-type": "application/json"},
        body=canonical({"requests": parts}),
    )


def is_json(request: Request) -> bool:
    """Tell whether a batch is JSON."""
    return request.headers.get("content-type", "").startswith("application/json")


def changes_of(request: Request) -> list[Change]:
    """Read back the changes of a request that `changing` has formed."""
    return [
        Change(method=each["method"], path=each["url"], body=each["body"], match=each["headers"].get("if-match", ""))
        for each in loads(request.body)["requests"]
        if "atomicityGroup" in each
    ]


def outcomes(response: Response, expected: int | None = None) -> list[Response]:
    """Give the answers in the order of their requests, or the one refusal for which none of the changes was made.

    Raises `OutcomeUnknown` for an answer that is no batch, or has another number of parts than `expected`, and where
    only the read behind the changes was refused.
    """
    answers = [answer for _, answer in sorted(_answers(response), key=lambda each: each[0])]
    refused = [answer for answer in answers if answer.status >= 400]
    if refused and answers[0].status < 400:
        raise unshown(refused[0])
    if refused:
        return [next((each for each in refused if each.status != _FAILED_DEPENDENCY), refused[0])]
    if not answers or (expected is not None and len(answers) != expected):
        raise OutcomeUnknown("The answer is not that of the batch.", code="unreadable-answer", parts=len(answers))
    return answers


def _answers(response: Response) -> list[tuple[int, Response]]:
    try:
        parts = loads(response.body)["responses"]
        found = [
            (
                int(each["id"]),
                Response(
                    status=int(each["status"]),
                    headers={name.lower(): str(value) for name, value in (each.get("headers") or {}).items()},
                    body=canonical(each["body"]) if "body" in each else b"",
                ),
            )
            for each in parts
        ]
    except (FixData, KeyError, TypeError, ValueError, AttributeError):
        raise OutcomeUnknown("The answer is not that of a batch.", code="unreadable-answer") from None
    if len({place for place, _ in found}) != len(found):
        raise OutcomeUnknown("An answer of the batch came twice.", code="unreadable-answer")
    return found
