"""Approvals: what waits for people's consent, one of them with what it lets out, and the two ways to answer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import HubError, LimitReached, NotAllowed
from hub.model.approval import ApprovalState, Lapse
from hub.queries import approvals
from hub.queries.approvals import ApprovalRow
from hub.queries.consequences import Consequences, consequences, known_by
from hub.sdk.connector import ReadOperation
from ui import records
from ui.doors import Door
from ui.troubles import advice_for
from ui.visits import Visit

#: Why what was agreed to counts no more, as the page says it.
_LAPSES: Mapping[str, str] = MappingProxyType(
    {
        Lapse.APPROVER_LEFT: "Somebody who had agreed may no longer agree; people were asked anew.",
        Lapse.APPROVER_ORDERED: "Somebody who had agreed ordered the replay, so others were asked.",
        Lapse.RECORD_CHANGED: "What would be written is no longer what was agreed to; people were asked anew.",
        Lapse.AMOUNT_ROSE: "The amount rose after it was agreed to; people were asked anew.",
        Lapse.VALIDITY_OVER: "It was not used before its time was over; people were asked anew.",
        Lapse.RUN_ENDED: "The run that asked has ended.",
    }
)
#: More is not listed at once; what ends first is at the top.
_MOST = 200


def listing(visit: Visit) -> Response:
    """List what waits, all of it or what waits for this person; or what was decided."""
    view, shown = visit.console.view, visit.query("show")
    payloads = visit.may(Permission.VIEW_PAYLOADS)
    if shown == "decided":
        page = approvals.decided(view, payloads=payloads, before=visit.query("before"))
        return visit.page(
            "decided_approvals.html", page=page, names=_names(page.approvals), paged=visit.query("before")
        )
    waiting = approvals.waiting(view, payloads=payloads, limit=_MOST)
    mine = tuple(each for each in waiting if _kept_from(visit, each) is None)
    values = {
        "waiting": mine if shown == "mine" else waiting,
        "names": _names(waiting),
        "only_mine": shown == "mine",
        "mine": {each.id for each in mine},
        "kept": {each.id: _kept_from(visit, each) for each in waiting},
        "total": approvals.pending_count(view),
        "money": approvals.money_waiting(view),
        "titles": {name: flow.title for name, flow in visit.console.bundle().flows.items()},
    }
    return visit.show("approvals.html", values)


def detail(visit: Visit) -> Response:
    """Show one approval, or its live part."""
    found = _found(visit)
    return visit.part("approval.html", **_standing(visit, found)) if visit.wants_part else _page(visit, found)


async def agree(visit: Visit) -> Response:
    """Agree, with the password once more."""
    place, reason = visit.place("id"), visit.form.get("reason", "")
    assert visit.person is not None
    try:
        state = await visit.console.approval_orders.approve(
            place, person=visit.person, password=visit.form.get("password", ""), reason=reason
        )
    except (NotAllowed, LimitReached) as error:
        if error.code not in {"wrong-password", "too-many-attempts"}:
            raise
        # What was written stays, and only the password is asked for again.
        return _page(visit, _found(visit), problem=error, reason=reason)
    return visit.go(f"/approvals/{place}", said="approved" if state is ApprovalState.APPROVED else "agreed")


async def refuse(visit: Visit) -> Response:
    """Refuse, with the reason for whoever mends it."""
    assert visit.person is not None
    await visit.console.approval_orders.refuse(
        visit.place("id"), person=visit.person, reason=visit.form.get("reason", "")
    )
    return visit.go(f"/approvals/{visit.place('id')}", said="refused")


def badge(visit: Visit) -> Response:
    """Show beside the navigation how many wait."""
    return visit.part("approvals_badge.html", consent=visit.asked())


def _found(visit: Visit) -> ApprovalRow:
    payloads = visit.may(Permission.VIEW_PAYLOADS)
    return approvals.detail(visit.console.view, visit.place("id"), payloads=payloads)


def _page(visit: Visit, found: ApprovalRow, *, problem: HubError | None = None, reason: str = "") -> Response:
    return visit.page(
        "approval.html",
        status=200 if problem is None else advice_for(problem).status,
        told=None if found.record is None else records.told(found.record),
        follows=_consequences(visit, found),
        earlier=found.bundle != visit.console.bundle().id,
        problem=problem,
        reason=reason,
        **_standing(visit, found),
    )


def _standing(visit: Visit, found: ApprovalRow) -> dict[str, Any]:
    """Give what may change while somebody looks."""
    others = [
        each
        for each in approvals.waiting(visit.console.view, limit=_MOST)
        if each.id != found.id and _kept_from(visit, each) is None
    ]
    return {
        "approval": found,
        "name": records.name_of(found.record),
        "kept": _kept_from(visit, found),
        "others": others,
        "lapses": _LAPSES,
        "own": None if visit.principal is None else visit.principal.actor,
    }


def _kept_from(visit: Visit, found: ApprovalRow) -> str | None:
    return None if visit.principal is None else found.kept_from(visit.principal)


def _names(rows: tuple[ApprovalRow, ...]) -> dict[str, str]:
    return {each.id: records.name_of(each.record) or each.business_key for each in rows}


def _consequences(visit: Visit, found: ApprovalRow) -> Consequences | None:
    """Tell what follows, when the revision that asked is the one at hand."""
    bundle = visit.console.bundle()
    flow = bundle.flows.get(found.flow)
    if flow is None or bundle.id != found.bundle:
        return None
    operations = [each for account in visit.console.accounts.values() for each in account.connector.operations]
    changing = {each.name for each in operations if not isinstance(each, ReadOperation)}
    reads = {each.name for each in operations} - changing
    known = known_by(visit.console.view, flow, found.run_id)
    return consequences(flow, found.path, reads=reads, known=known)


DOORS = (
    Door(method="GET", path="/approvals", needs=Permission.VIEW, handler=listing),
    Door(method="GET", path="/approvals/{id}", needs=Permission.VIEW, handler=detail),
    Door(method="POST", path="/approvals/{id}/agree", needs=Permission.APPROVE, handler=agree),
    Door(method="POST", path="/approvals/{id}/refuse", needs=Permission.APPROVE, handler=refuse),
    Door(method="GET", path="/badge/approvals", needs=Permission.VIEW, handler=badge),
)
