"""A vendor in memory with books of its own.

It keeps idempotency keys, shows what it has made only after a while, and notes what a caller must never do. It knows
nothing of the hub.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub.model.exchange import Request, Response
from hub.sdk import exact_json

#: So many seconds an idempotency key is kept at least.
KEEPS_KEYS = 86_400.0
#: What a look finds may lie back so many seconds.
LAGS = 18.0
#: A request that was given up on may come through so many seconds later.
COMES_LATE = 18.0
#: So many seconds after sending, a write that a look does not find surely never happened; it covers the time that a
#: caller waits, both of the above, and a clock that is a little wrong.
SETTLES = 60.0
#: Of the items of one request such a share is turned away for now, and of such a share the row is missing.
_BUSY, _UNTOLD = 0.1, 0.05


@dataclass(slots=True, kw_only=True)
class Entry:
    """Something that the vendor holds: its kind, what it stands for, and all that it says."""

    id: str
    kind: str
    name: str
    facts: dict[str, Any]
    mark: str | None
    place: int
    at: float
    seen_from: float
    versions: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One write that came: what it was about, its hash, and whether its caller was told that it did nothing.

    `settles`: it was refused for its content after a look that found nothing, when nothing that had come before could
    still appear; so its caller was told that none of the earlier ones did anything either. `missing`: a look had found
    just that before it came.
    """

    address: str
    marker: str
    name: str
    sha256: str
    refused: bool
    at: float
    settles: bool = False
    missing: bool = False


class Vendor:
    """One vendor account; `serve` answers a request at once and does what it asks."""

    def __init__(self, name: str, time: Callable[[], float], chance: Random) -> None:
        """Begin with empty books."""
        self.name = name
        self.host = f"{name}.example"
        self._time = time
        self._chance = chance
        self._keys: dict[str, tuple[str, Response, float]] = {}
        self.entries: list[Entry] = []
        self.received: list[Received] = []
        self._versions: list[tuple[str, str]] = []
        #: When a look for a mark last found nothing.
        self._missed: dict[str, float] = {}
        #: Names of things that this vendor refuses for what they say.
        self.refuses: set[str] = set()
        #: What a caller must never do, and did.
        self.abuses: list[tuple[str, str]] = []
        #: What can be read of the things that began here: kind/id → its facts.
        self.things: dict[str, Mapping[str, Any]] = {}
        #: What has happened here, for those who read it as a stream: oldest first.
        self.told: list[Mapping[str, Any]] = []

    def serve(self, request: Request) -> Response:
        """Do what a request asks, and answer."""
        url = urlsplit(request.url)
        parts = url.path.strip("/").split("/")
        match request.method, parts:
            case "GET", ["entries" | "reversals" as kind]:
                return self._look(kind, parse_qs(url.query)["mark"][0])
            case "GET", ["entries", identity]:
                return self._read(identity)
            case "GET", ["happened"]:
                return self._happened(int(parse_qs(url.query).get("after", ["0"])[0]))
            case "GET", [kind, identity]:
                thing = self.things.get(f"{kind}/{identity}")
                return _answer({"error": "not-found"}, 404) if thing is None else _answer(thing)
            case "POST" | "PUT", [kind, *rest]:
                return self._write(request, kind, rest)
            case _:
                return _answer({"error": "no-such-path"}, 404)

    def made(self, method: str, path: str, key: str | None, body: Mapping[str, Any]) -> str | None:
        """Tell somebody who looks into the books what a write has made, by its id; None when it was not done."""
        if method == "PUT":
            kind, identity = path.strip("/").split("/")
            stands = (entry for entry in self.entries if (entry.kind, entry.id) == (kind, identity))
            return next((entry.id for entry in stands if int(body["version"]) in entry.versions), None)
        mark = key or body.get("mark")
        return next((entry.id for entry in self.entries if entry.mark == mark), None)

    def versions_in_order(self, kind: str) -> list[str]:
        """Give the versions of states of a kind as `name@version`, in the order in which they were first written."""
        return [name for of, name in self._versions if of == kind]

    def turn_away(self, request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
        """Answer without doing anything, so that the caller knows it."""
        if request.method != "GET":
            self._note(request, refused=400 <= status < 500)
        return _answer({"error": f"status-{status}"}, status, headers)

    def note_unanswered(self, request: Request) -> None:
        """Note a write that came and was not done, without its caller being told."""
        if request.method != "GET":
            self._note(request, refused=False)

    # --- reading --------------------------------------------------------------------------------

    def _look(self, kind: str, mark: str) -> Response:
        now = self._time()
        marked = (entry for entry in self.entries if (entry.kind, entry.mark) == (kind, mark))
        found = [entry for entry in marked if entry.seen_from <= now]
        if not found:
            self._missed[mark] = now
        return _answer({"found": [{"id": entry.id, "mark": entry.mark} for entry in found]})

    def _read(self, identity: str) -> Response:
        entry = next((entry for entry in self.entries if entry.id == identity), None)
        return _answer({"error": "not-found"}, 404) if entry is None else _answer({"id": entry.id, **entry.facts})

    def _happened(self, after: int) -> Response:
        page = self.told[after : after + 3]
        return _answer({"events": page, "next": after + len(page), "more": after + len(page) < len(self.told)})

    # --- writing --------------------------------------------------------------------------------

    def _write(self, request: Request, kind: str, rest: list[str]) -> Response:
        body = exact_json.loads(request.body)
        if body.get("name") in self.refuses:
            self._note(request, refused=True, by_content=True)
            return _answer({"error": "refused-for-its-content"}, 400)
        key = request.headers.get("idempotency-key")
        if key is not None:
            return self._once(request, key, kind, body)
        self._note(request, refused=False)
        if kind == "batches":
            return self._add_all(body["items"])
        if rest:
            return self._put(kind, rest[0], body, guarded="if-not-newer" in request.headers)
        return _answer({"id": self._add(kind, body, body.get("mark")).id})

    def _once(self, request: Request, key: str, kind: str, body: Mapping[str, Any]) -> Response:
        digest = hashlib.sha256(request.body).hexdigest()
        known = self._keys.get(key)
        if known is not None and self._time() - known[2] < KEEPS_KEYS:
            if known[0] != digest:
                self.abuses.append((body["name"], f"the key {key[:8]} came with two bodies"))
                self._note(request, refused=True)
                return _answer({"error": "key-reused"}, 400)
            self._note(request, refused=False)
            return known[1]
        self._note(request, refused=False)
        answer = _answer({"id": self._add(kind, body, key).id})
        self._keys[key] = (digest, answer, self._time())
        return answer

    def _add_all(self, items: list[Mapping[str, Any]]) -> Response:
        """Add what there is room for; the rows come in any order, and now and then one is missing."""
        rows = []
        for item in items:
            draw = self._chance.random()
            if draw < _BUSY:
                rows.append({"mark": item["mark"], "error": "busy"})
                continue
            entry = self._add("entries", item, item["mark"])
            if draw < 1 - _UNTOLD:
                rows.append({"mark": item["mark"], "id": entry.id})
        self._chance.shuffle(rows)
        return _answer({"rows": rows})

    def _put(self, kind: str, identity: str, body: Mapping[str, Any], *, guarded: bool) -> Response:
        entry = next((entry for entry in self.entries if (entry.kind, entry.id) == (kind, identity)), None)
        if entry is None:
            entry = self._add(kind, body, None, identity=identity)
        version = int(body["version"])
        if guarded and entry.versions and version < max(entry.versions):
            return _answer({"error": "older"}, 409)
        entry.versions.append(version)
        if (kind, f"{identity}@{version}") not in self._versions:
            self._versions.append((kind, f"{identity}@{version}"))
        entry.facts = _facts(body)
        return _answer({"id": identity})

    def _add(self, kind: str, body: Mapping[str, Any], mark: str | None, *, identity: str | None = None) -> Entry:
        now = self._time()
        entry = Entry(
            id=identity or f"{self.name}-{len(self.entries) + 1}",
            kind=kind,
            name=str(body["name"]),
            facts=_facts(body),
            mark=mark,
            place=len(self.entries) + 1,
            at=now,
            # What was made is not found at once: the search lags behind the books, now and then for long.
            seen_from=now + self._chance.choice((0.0, 0.0, 0.5, LAGS)),
        )
        self.entries.append(entry)
        return entry

    def _note(self, request: Request, *, refused: bool, by_content: bool = False) -> None:
        body = exact_json.loads(request.body)
        own = request.headers.get("idempotency-key") or body.get("mark") or body.get("batch")
        marker = own or urlsplit(request.url).path
        address = f"{request.method} {urlsplit(request.url).path}"
        missing = self._surely_missing(address, marker)
        self.received.append(
            Received(
                address=address,
                # A state is written again with each version: each version is a write of its own.
                marker=f"{marker}@{body['version']}" if "version" in body else marker,
                name=str(body.get("name", "")),
                sha256=hashlib.sha256(request.body).hexdigest(),
                refused=refused,
                at=self._time(),
                settles=by_content and missing,
                missing=missing,
            )
        )

    def _surely_missing(self, address: str, mark: str) -> bool:
        """Tell whether a look found nothing when all that had come under this mark would have been seen."""
        missed = self._missed.get(mark)
        open_ones = [it.at for it in self.received if (it.address, it.marker) == (address, mark) and not it.refused]
        return missed is not None and all(at <= missed - LAGS for at in open_ones)


def _facts(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in {"mark", "name"}}


def _answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        status=status, headers={"content-type": "application/json", **(headers or {})}, body=exact_json.dumps(body)
    )


def money_of(facts: Mapping[str, Any]) -> Decimal | None:
    """Give the amount that an entry says, in major units as it came; None when it moves no money."""
    amount = facts.get("amount")
    return None if amount is None else Decimal(amount)
