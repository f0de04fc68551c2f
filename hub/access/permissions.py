"""Who may do what: roles grant permissions by one table, and whatever it does not grant is denied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from hub.errors import NotAllowed


class Role(StrEnum):
    """What a person is at this hub.

    Who approves orders nothing and changes nothing, and who does may not approve: no single person can do both.
    """

    ADMIN = "admin"
    OPERATOR = "operator"
    CONTROLLER = "controller"
    APPROVER = "approver"
    VIEWER = "viewer"


class Permission(StrEnum):
    """One thing a handler asks for before it does anything."""

    VIEW = "view"
    VIEW_PAYLOADS = "payloads.view"
    SEND_EVENT = "event.send"
    RELEASE_EVENT = "event.release"
    REPLAY = "run.replay"
    HOLD = "run.hold"
    CANCEL_RUN = "run.cancel"
    UNDO_RUN = "run.undo"
    EDIT_PAYLOAD = "payload.edit"
    APPROVE = "run.approve"
    WORK_CASE = "case.work"
    RESOLVE_EFFECT = "effect.resolve"
    REPEAT_EFFECT = "effect.repeat"
    CONTROL_CONNECTION = "connection.control"
    CONTROL_SCHEDULE = "schedule.control"
    CONTROL_STREAM = "stream.control"
    WRITE_CROSSREF = "crossref.write"
    STORE_SECRET = "secret.store"
    PLAN_REVISION = "revision.plan"
    PUBLISH_REVISION = "revision.publish"
    MANAGE_PEOPLE = "people.manage"
    READ_AUDIT = "audit.read"
    BACK_UP = "data.back-up"
    EXAMINE = "hub.examine"
    PRUNE = "data.prune"


_VIEWER = frozenset({Permission.VIEW})
_OPERATOR = _VIEWER | {
    Permission.VIEW_PAYLOADS,
    Permission.SEND_EVENT,
    Permission.RELEASE_EVENT,
    Permission.REPLAY,
    Permission.HOLD,
    Permission.CANCEL_RUN,
    Permission.UNDO_RUN,
    Permission.EDIT_PAYLOAD,
    Permission.WORK_CASE,
    Permission.RESOLVE_EFFECT,
    Permission.CONTROL_CONNECTION,
    Permission.CONTROL_SCHEDULE,
    Permission.CONTROL_STREAM,
    Permission.WRITE_CROSSREF,
    Permission.PLAN_REVISION,
}
_APPROVER = _VIEWER | {Permission.VIEW_PAYLOADS, Permission.APPROVE}
_ADMIN = _OPERATOR | {
    Permission.REPEAT_EFFECT,
    Permission.STORE_SECRET,
    Permission.PUBLISH_REVISION,
    Permission.MANAGE_PEOPLE,
    Permission.READ_AUDIT,
    Permission.BACK_UP,
    Permission.EXAMINE,
    Permission.PRUNE,
}

#: The one table of rights; a role or permission that is not in it grants nothing.
GRANTS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.VIEWER: _VIEWER,
        Role.APPROVER: _APPROVER,
        Role.CONTROLLER: _APPROVER,
        Role.OPERATOR: _OPERATOR,
        Role.ADMIN: _ADMIN,
    }
)

#: What a sender's token grants, and nothing else: no role is so narrow, and no person has it.
SENDERS = frozenset({Permission.SEND_EVENT})

#: The roles whose people may approve; a policy asks for one of them, or for either.
APPROVERS = tuple(role for role in (Role.APPROVER, Role.CONTROLLER) if Permission.APPROVE in GRANTS[role])


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks: `actor` as it stands in the audit log, the role, and a name to show."""

    actor: str
    role: Role
    name: str

    def may(self, permission: Permission) -> bool:
        """Tell whether the role grants this."""
        return permission in GRANTS.get(self.role, frozenset())

    def require(self, permission: Permission) -> None:
        """Raise `NotAllowed` unless the role grants this."""
        if not self.may(permission):
            raise NotAllowed(
                "Your role does not allow this; an administrator can change it.",
                permission=permission.value,
                role=self.role.value,
            )


#: The command line on the hub's own machine, which holds the local token.
LOCAL = Principal(actor="local", role=Role.ADMIN, name="local command line")
