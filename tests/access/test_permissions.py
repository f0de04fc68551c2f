"""Every role and every permission: what the table grants, in full."""

from __future__ import annotations

import pytest

from hub.access.permissions import GRANTS, LOCAL, Permission, Principal, Role
from hub.errors import NotAllowed

#: The least role that has each permission; a new permission must be put here by hand.
LEAST = {
    "view": Role.VIEWER,
    "payloads.view": Role.OPERATOR,
    "event.send": Role.OPERATOR,
    "event.release": Role.OPERATOR,
    "run.replay": Role.OPERATOR,
    "run.hold": Role.OPERATOR,
    "run.cancel": Role.OPERATOR,
    "run.undo": Role.OPERATOR,
    "payload.edit": Role.OPERATOR,
    "case.work": Role.OPERATOR,
    "effect.resolve": Role.OPERATOR,
    "effect.repeat": Role.ADMIN,
    "connection.control": Role.OPERATOR,
    "crossref.write": Role.OPERATOR,
    "secret.store": Role.ADMIN,
    "revision.plan": Role.OPERATOR,
    "revision.publish": Role.ADMIN,
    "people.manage": Role.ADMIN,
    "audit.read": Role.ADMIN,
    "data.back-up": Role.ADMIN,
    "hub.examine": Role.ADMIN,
}
RANK = [Role.VIEWER, Role.OPERATOR, Role.ADMIN]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_the_table_grants_exactly_what_is_meant(role: Role, permission: Permission) -> None:
    principal = Principal(actor="person:p_1", role=role, name="Ada")
    granted = RANK.index(role) >= RANK.index(LEAST[permission])
    assert principal.may(permission) is granted
    if granted:
        principal.require(permission)
    else:
        with pytest.raises(NotAllowed) as caught:
            principal.require(permission)
        assert caught.value.facts == {"permission": permission.value, "role": role.value}


def test_an_unknown_role_or_permission_grants_nothing() -> None:
    assert set(GRANTS) == set(Role)
    stranger = Principal(actor="person:p_1", role="owner", name="Eve")  # type: ignore[arg-type]
    assert not any(stranger.may(permission) for permission in Permission)
    assert not LOCAL.may("everything")  # type: ignore[arg-type]
