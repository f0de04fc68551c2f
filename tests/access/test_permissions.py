"""Every role and every permission: what the table grants, in full."""

from __future__ import annotations

import pytest

from hub.access.permissions import APPROVERS, GRANTS, LOCAL, Permission, Principal, Role
from hub.errors import NotAllowed
from hub.policy.kinds import APPROVE

_WORK = {Role.OPERATOR, Role.ADMIN}
_APPROVE = {Role.APPROVER, Role.CONTROLLER}
#: The roles that have each permission; a new permission must be put here by hand.
GRANTED = {
    "view": set(Role),
    "payloads.view": _WORK | _APPROVE,
    "event.send": _WORK,
    "event.release": _WORK,
    "run.replay": _WORK,
    "run.hold": _WORK,
    "run.cancel": _WORK,
    "run.undo": _WORK,
    "payload.edit": _WORK,
    "run.approve": _APPROVE,
    "case.work": _WORK,
    "effect.resolve": _WORK,
    "effect.repeat": {Role.ADMIN},
    "connection.control": _WORK,
    "stream.control": _WORK,
    "schedule.control": _WORK,
    "crossref.write": _WORK,
    "secret.store": {Role.ADMIN},
    "revision.plan": _WORK,
    "revision.publish": {Role.ADMIN},
    "people.manage": {Role.ADMIN},
    "audit.read": {Role.ADMIN},
    "data.back-up": {Role.ADMIN},
    "hub.examine": {Role.ADMIN},
    "data.prune": {Role.ADMIN},
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_the_table_grants_exactly_what_is_meant(role: Role, permission: Permission) -> None:
    principal = Principal(actor="person:p_1", role=role, name="Ada")
    granted = role in GRANTED[permission]
    assert principal.may(permission) is granted
    if granted:
        principal.require(permission)
    else:
        with pytest.raises(NotAllowed) as caught:
            principal.require(permission)
        assert caught.value.facts == {"permission": permission.value, "role": role.value}


def test_nobody_can_both_order_and_approve() -> None:
    """Who approves may look at everything that is asked, and do nothing else; a policy asks for just these roles."""
    for role, granted in GRANTS.items():
        if Permission.APPROVE in granted:
            assert granted == {Permission.VIEW, Permission.VIEW_PAYLOADS, Permission.APPROVE}, role
    assert not LOCAL.may(Permission.APPROVE)
    assert APPROVE.outputs is not None
    for output in ("role", "escalate_to"):
        assert APPROVE.outputs[output].shape.values == tuple(role.value for role in APPROVERS)


def test_an_unknown_role_or_permission_grants_nothing() -> None:
    assert set(GRANTS) == set(Role)
    stranger = Principal(actor="person:p_1", role="owner", name="Eve")  # type: ignore[arg-type]
    assert not any(stranger.may(permission) for permission in Permission)
    assert not LOCAL.may("everything")  # type: ignore[arg-type]
