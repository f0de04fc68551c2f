"""Composite requests: several calls in one, which may use each other's answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.refusals import Refusal, Undone
from connectors.salesforce.sandbox.wire import Call, Reply, Router, dumps, split_url

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

#: Calls in one request, and how many of them may be queries or collections.
MOST, MOST_QUERIES = 25, 5
#: Graphs in one request, nodes in one graph, and how deep nodes may rest on each other.
MOST_GRAPHS, MOST_NODES, DEEPEST = 75, 500, 15
#: Kinds of nodes, by method and object, in one request.
MOST_KINDS = 15
_NODE = re.compile(r"/?services/data/v\d+\.0/sobjects/(?P<name>\w+)(?:/[^/?]+){0,2}/?(?:\?.*)?", re.IGNORECASE)
_REFERENCE = re.compile(r"@\{(?P<id>\w+)(?P<path>(?:\.\w+|\[\w+\])*)\}")
#: Addresses of queries and collections.
_QUERYING = re.compile(r"/(?:query|queryAll|composite/sobjects)(?:/|$)|/sobjects/?$", re.IGNORECASE)
_STEP = re.compile(r"\.(\w+)|\[(\w+)\]")
_HALTED = "The transaction was rolled back since another operation in the same transaction failed."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One call of a composite request."""

    method: str
    url: str
    reference: str
    body: Any
    headers: Mapping[str, str]


class CompositeApi:
    """Handlers of `/composite`, `/composite/graph` and `/composite/batch`."""

    def __init__(self, org: Org, router: Router) -> None:
        """Take the org that is served, and the table by which calls find their handlers."""
        self._org = org
        self._router = router

    def add_to(self, router: Router) -> None:
        """Add the addresses."""
        router.add("GET", "/composite", self.resources)
        router.add("POST", "/composite", self.composite)
        router.add("POST", "/composite/graph", self.graph)
        router.add("POST", "/composite/batch", self.batch)

    def resources(self, call: Call) -> Reply:
        """List the kinds of composite requests."""
        return Reply(body={name: f"{call.base}/composite/{name}" for name in ("tree", "batch", "sobjects", "graph")})

    def composite(self, call: Call) -> Reply:
        """Make calls one after the other."""
        body = call.object()
        parts = _parts(body, most=MOST)
        queries = sum(_QUERYING.search(part.url.partition("?")[0]) is not None for part in parts)
        if queries > MOST_QUERIES:
            raise Refusal(
                "INVALID_INPUT",
                f"No more than {MOST_QUERIES} query or sObject collection operations are allowed in a request.",
            )
        everything = body.get("allOrNone") is True
        results, _ = self._transaction(call, parts, all_or_none=everything)
        return Reply(body={"compositeResponse": results})

    def graph(self, call: Call) -> Reply:
        """Make graphs of calls, each of them all or none."""
        graphs = call.object().get("graphs")
        if not isinstance(graphs, list) or not graphs or not all(isinstance(one, dict) for one in graphs):
            raise Refusal("JSON_PARSER_ERROR", "The property graphs is required to be a list of graphs")
        if len(graphs) > MOST_GRAPHS:
            raise Refusal("INVALID_INPUT", f"A request has at most {MOST_GRAPHS} graphs.")
        if len({str(one.get("graphId")) for one in graphs}) < len(graphs):
            raise Refusal("INVALID_INPUT", "Every graph has a graphId of its own.")
        planned = [_parts(one, most=MOST_NODES) for one in graphs]
        _refuse_nodes(planned)
        answers = []
        for one, parts in zip(graphs, planned, strict=True):
            results, succeeded = self._transaction(call, parts, all_or_none=True)
            answers.append(
                {
                    "graphId": one.get("graphId"),
                    "graphResponse": {"compositeResponse": results},
                    "isSuccessful": succeeded,
                }
            )
        return Reply(body={"graphs": answers})

    def batch(self, call: Call) -> Reply:
        """Make calls that have nothing to do with each other."""
        body = call.object()
        requests = body.get("batchRequests")
        if not isinstance(requests, list) or not requests or not all(isinstance(one, dict) for one in requests):
            raise Refusal("JSON_PARSER_ERROR", "The property batchRequests is required to be a list of requests")
        if len(requests) > MOST:
            raise Refusal("INVALID_INPUT", f"Maximum number of batch requests is {MOST}")
        results: list[dict[str, Any]] = []
        halted = False
        for said in requests:
            if halted:
                why = {"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}
                results.append({"statusCode": 412, "result": [why]})
                continue
            part = _Part(
                method=str(said.get("method", "GET")).upper(),
                url=str(said.get("url", "")),
                reference="",
                body=said.get("richInput"),
                headers={},
            )
            reply = self._make(call, part, part.url, part.body)
            results.append({"statusCode": reply.status, "result": reply.body})
            halted = body.get("haltOnError") is True and reply.status >= 400
        return Reply(body={"hasErrors": any(one["statusCode"] >= 400 for one in results), "results": results})

    def _transaction(
        self, call: Call, parts: Sequence[_Part], *, all_or_none: bool
    ) -> tuple[list[dict[str, Any]], bool]:
        """Make the calls; where it is all or none, one that fails undoes the others."""

        def every() -> tuple[list[dict[str, Any]], bool]:
            results: list[dict[str, Any]] = []
            answers: dict[str, Any] = {}
            failed = False
            for part in parts:
                reply = _halted() if failed and all_or_none else self._one(call, part, answers)
                answers[part.reference] = reply.body if reply.status < 300 else _FAILED
                failed = failed or reply.status >= 300
                results.append(_result(part, reply))
            if failed and all_or_none:
                raise Undone(([_undone(one) for one in results], False))
            return results, not failed

        answer: tuple[list[dict[str, Any]], bool] = self._org.store.attempt(every)
        return answer

    def _one(self, call: Call, part: _Part, answers: Mapping[str, Any]) -> Reply:
        try:
            url = str(_filled(part.url, answers))
            body = _filled(part.body, answers)
        except Refusal as refusal:
            return Reply(status=refusal.status, body=refusal.body())
        return self._make(call, part, url, body)

    def _make(self, call: Call, part: _Part, url: str, body: Any) -> Reply:
        try:
            version, path, query = split_url(url)
            if not self._org.settings.oldest_version <= version:
                raise Refusal("GONE", "The requested resource is no longer available", status=410)
            if path.rstrip("/") in ("/composite", "/composite/graph", "/composite/batch") or path.startswith("/jobs"):
                raise Refusal("INVALID_INPUT", "Composite requests cannot contain each other.")
            kept = {name: value for name, value in call.headers.items() if name.startswith("sforce-")}
            inner = Call(
                method=part.method,
                path=path,
                version=version,
                query=query,
                headers={**kept, **part.headers},
                user=call.user,
                body=b"" if body is None else dumps(body),
                given=body,
            )
            with self._org.store.all_or_nothing():
                return self._router.dispatch(inner)
        except Refusal as refusal:
            return Reply(status=refusal.status, body=refusal.body())


_FAILED = object()


def _parts(body: Mapping[str, Any], *, most: int) -> list[_Part]:
    said = body.get("compositeRequest")
    if not isinstance(said, list) or not said or not all(isinstance(one, dict) for one in said):
        raise Refusal("JSON_PARSER_ERROR", "The property compositeRequest is required to be a list of requests")
    if len(said) > most:
        raise Refusal("INVALID_INPUT", f"Maximum number of composite subrequests is {most}")
    parts, seen = [], set()
    for one in said:
        reference = one.get("referenceId")
        if not isinstance(reference, str) or not re.fullmatch(r"\w+", reference):
            raise Refusal("INVALID_INPUT", f"Provided referenceId ('{reference}') must start with a letter or a number")
        if reference in seen:
            raise Refusal("INVALID_INPUT", f"Duplicate referenceId found: {reference}")
        seen.add(reference)
        own = one.get("httpHeaders")
        headers = {str(name).lower(): str(value) for name, value in own.items()} if isinstance(own, dict) else {}
        parts.append(
            _Part(
                method=str(one.get("method", "")).upper(),
                url=str(one.get("url", "")),
                reference=reference,
                body=one.get("body"),
                headers=headers,
            )
        )
    return parts


def _refuse_nodes(graphs: Sequence[Sequence[_Part]]) -> None:
    """Refuse nodes that are no records, too many kinds of them, and graphs that are too deep."""
    kinds = set()
    for parts in graphs:
        _refuse_depth(parts)
        for part in parts:
            found = _NODE.fullmatch(part.url)
            if found is None:
                raise Refusal("INVALID_INPUT", f"A graph has no place for {part.url}: its nodes are records.")
            kinds.add((part.method, found["name"].lower()))
    if len(kinds) > MOST_KINDS:
        raise Refusal("INVALID_INPUT", f"The graphs of a request have at most {MOST_KINDS} different kinds of nodes.")


def _refuse_depth(parts: Sequence[_Part]) -> None:
    depths: dict[str, int] = {}
    for part in parts:
        text = part.url + dumps(part.body).decode()
        rests_on = [depths.get(found["id"], 0) for found in _REFERENCE.finditer(text)]
        depths[part.reference] = 1 + max(rests_on, default=0)
    if max(depths.values(), default=0) > DEEPEST:
        raise Refusal("INVALID_INPUT", f"A graph is at most {DEEPEST} nodes deep.")


def _filled(value: Any, answers: Mapping[str, Any]) -> Any:
    """Put the values that references name in their place; one that is all of a text keeps its type."""
    if isinstance(value, dict):
        return {name: _filled(inner, answers) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, answers) for inner in value]
    if not isinstance(value, str) or "@{" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole is not None:
        return _named(whole, answers)
    return _REFERENCE.sub(lambda found: str(_named(found, answers)), value)


def _named(found: re.Match[str], answers: Mapping[str, Any]) -> Any:
    id = found["id"]
    if id not in answers:
        raise Refusal("PROCESSING_HALTED", f"Invalid reference specified. No value for {found[0]} found.")
    value = answers[id]
    if value is _FAILED:
        raise Refusal("PROCESSING_HALTED", f"Invalid reference specified. No value for {found[0]} found in {id}.")
    for name, place in _STEP.findall(found["path"]):
        step = name or place
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise Refusal("PROCESSING_HALTED", f"Invalid reference specified. No value for {found[0]} found in {id}.")
    return value


def _halted() -> Reply:
    return Reply(status=400, body=[{"errorCode": "PROCESSING_HALTED", "message": _HALTED}])


def _undone(result: dict[str, Any]) -> dict[str, Any]:
    """Tell of a call that had succeeded that it was undone."""
    if result["httpStatusCode"] >= 300:
        return result
    halted = _halted()
    return {**result, "body": halted.body, "httpHeaders": {}, "httpStatusCode": halted.status}


def _result(part: _Part, reply: Reply) -> dict[str, Any]:
    headers = {name: value for name, value in reply.headers.items() if name in ("Location", "Last-Modified")}
    return {
        "body": reply.body,
        "httpHeaders": headers,
        "httpStatusCode": reply.status,
        "referenceId": part.reference,
    }
