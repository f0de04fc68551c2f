"""What the org tells of itself: its resources, objects, limits, queries, and who is signed in."""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox import describing
from connectors.salesforce.sandbox.record_api import http_moment, kind_of
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.soql.running import run
from connectors.salesforce.sandbox.wire import NEWEST, Call, Reply, Router

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

_SMALLEST_PAGE = 200
_SEASONS = ("Winter", "Summer", "Spring")
_RESOURCES = ("sobjects", "query", "queryAll", "limits", "composite", "jobs")


class OrgApi:
    """Handlers of the addresses that lead to no single record."""

    def __init__(self, org: Org) -> None:
        """Take the org that is served."""
        self._org = org

    def add_to(self, router: Router) -> None:
        """Add the addresses."""
        router.add("GET", "", self.resources)
        router.add("GET", "/limits", self.limits)
        router.add("GET", "/sobjects", self.objects)
        router.add("GET", "/sobjects/{name}", self.brief)
        router.add("GET", "/sobjects/{name}/describe", self.describe)
        router.add("GET", "/query", self.query)
        router.add("GET", "/queryAll", self.query_all)
        router.add("GET", "/query/{locator}", self.more)
        router.add("GET", "/queryAll/{locator}", self.more)

    def resources(self, call: Call) -> Reply:
        """List what is below the version."""
        return Reply(body={name: f"{call.base}/{name}" for name in _RESOURCES})

    def limits(self, call: Call) -> Reply:
        """List the limits and what is left of them."""
        return Reply(body=self._org.usage.limits())

    def objects(self, call: Call) -> Reply:
        """List all objects."""
        changed = max(self._org.schema.changed.values(), default=0)
        if (unchanged := self._unchanged(call, changed)) is not None:
            return unchanged
        listed = [describing.brief(self._org, kind, call.base) for kind in self._org.schema]
        return _dated(Reply(body={"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed}), changed)

    def brief(self, call: Call, name: str) -> Reply:
        """Tell of one object, and what was looked at lately: nothing, since nobody looks."""
        kind = kind_of(self._org, name)
        return Reply(body={"objectDescribe": describing.brief(self._org, kind, call.base), "recentItems": []})

    def describe(self, call: Call, name: str) -> Reply:
        """Tell everything of one object, unless it did not change since the caller asked last."""
        kind = kind_of(self._org, name)
        changed = self._org.schema.changed[kind.name]
        if (unchanged := self._unchanged(call, changed)) is not None:
            return unchanged
        return _dated(Reply(body=describing.whole(self._org, kind, call.base)), changed)

    def _unchanged(self, call: Call, changed: int) -> Reply | None:
        since = http_moment(call.headers.get("if-modified-since", ""))
        return None if since is None or changed > since else _dated(Reply(status=304), changed)

    def query(self, call: Call) -> Reply:
        """Run a query."""
        return self._run(call, deleted=False)

    def query_all(self, call: Call) -> Reply:
        """Run a query over what is in the recycle bin too."""
        return self._run(call, deleted=True)

    def _run(self, call: Call, *, deleted: bool) -> Reply:
        text = call.query.get("q")
        if text is None:
            raise Refusal("MALFORMED_QUERY", "SOQL query is missing: the parameter q is required")
        found = run(self._org, text, deleted=deleted)
        if found.rows is not None:
            return Reply(body={"totalSize": len(found.rows), "done": True, "records": list(found.rows)})
        if found.shape is None:
            return Reply(body={"totalSize": found.total, "done": True, "records": []})
        page = self._org.cursors.first(found.records, found.shape, base=call.base, rows=self._rows(call))
        return Reply(body=page)

    def more(self, call: Call, locator: str) -> Reply:
        """Give a further page."""
        return Reply(body=self._org.cursors.more(locator, base=call.base, rows=self._rows(call)))

    def _rows(self, call: Call) -> int:
        """Give how many rows a page has: what the caller hopes for, within what Salesforce allows."""
        most = self._org.settings.rows_per_page
        hint = re.search(r"batchSize\s*=\s*(\d{1,6})", call.headers.get("sforce-query-options", ""), re.IGNORECASE)
        return min(most, max(_SMALLEST_PAGE, int(hint[1]))) if hint else most


def versions(oldest: int) -> list[dict[str, Any]]:
    """List the versions that answer, with the season of each."""
    return [
        {"label": _season(version), "url": f"/services/data/v{version}.0", "version": f"{version}.0"}
        for version in range(oldest, NEWEST + 1)
    ]


def _season(version: int) -> str:
    """Give a release's name; the newest one is that of winter 2027, and there are three a year."""
    back = NEWEST - version
    year = 27 - (back + 2) // 3
    return f"{_SEASONS[back % 3]} '{year:02d}"


def _dated(reply: Reply, changed: int) -> Reply:
    return Reply(
        status=reply.status, body=reply.body, headers={"Last-Modified": formatdate(changed / 1000, usegmt=True)}
    )
