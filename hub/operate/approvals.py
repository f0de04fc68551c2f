"""Votes on approvals: a person, who has shown that it is them, agrees to what a run would write or refuses it."""

from __future__ import annotations

from hub.access.attempts import Attempts
from hub.access.people import Directory, Person
from hub.access.permissions import Permission
from hub.access.sign_in import confirm
from hub.errors import FixData
from hub.model.ambient import Ambient
from hub.model.approval import ApprovalState, Verdict
from hub.operate.holds import LONGEST_REASON
from hub.store import approvals
from hub.store.committer import Committer, Work


class ApprovalOrders:
    """Carries out votes in one environment."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        committer: Committer,
        directory: Directory,
        attempts: Attempts,
    ) -> None:
        """Take the collaborators; `attempts` counts wrong passwords wherever they are given."""
        self._environment = environment
        self._ambient = ambient
        self._committer = committer
        self._directory = directory
        self.attempts = attempts

    async def approve(self, approval_id: str, *, person: Person, password: str, reason: str = "") -> ApprovalState:
        """Agree, with the password once more; gives how the approval stands then.

        Raises `NotAllowed` (the password, the role, one's own work), `Conflict` (settled, too late, said already) and
        `NotFound`.
        """
        person.principal().require(Permission.APPROVE)
        await confirm(self._directory, self.attempts, person, password=password, now=self._ambient.now())
        return await self._vote(approval_id, Verdict.AGREED, person=person, reason=_bounded(reason))

    async def refuse(self, approval_id: str, *, person: Person, reason: str) -> ApprovalState:
        """Refuse, with a reason for whoever takes care of the run; gives how the approval stands then."""
        person.principal().require(Permission.APPROVE)
        if not reason.strip():
            raise FixData("Say why it is refused: somebody has to mend it.", code="no-reason")
        return await self._vote(approval_id, Verdict.REFUSED, person=person, reason=_bounded(reason))

    async def _vote(self, approval_id: str, verdict: Verdict, *, person: Person, reason: str | None) -> ApprovalState:
        environment, actor = self._environment, person.principal().actor
        row = await self._committer.commit(
            Work(
                lambda tx: approvals.vote(
                    tx, approval_id, environment=environment, actor=actor, verdict=verdict, reason=reason
                )
            )
        )
        return ApprovalState(row["state"])


def _bounded(reason: str) -> str | None:
    if len(reason) > LONGEST_REASON:
        raise FixData("The reason is too long.", code="reason-too-long", most=LONGEST_REASON)
    return reason.strip() or None
