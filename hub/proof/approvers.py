"""The demo's finance team: two people who sign in, look at what they are asked, and agree as themselves."""

from __future__ import annotations

from collections.abc import Sequence

from hub.proof.http_json import Api, NoAnswer
from hub.proof.hub_process import HubProcess, Login
from hub.proof.sandboxes import Sandbox

#: The status of a session that has ended, and of what Stripe does not have.
_UNKNOWN, _ABSENT = 401, 404


class Approvers:
    """People who decide over the hub's API; they agree to what Stripe has with the same total.

    They look at Stripe as anybody does: to have all its books told for each of them would keep its sandbox from serving
    for seconds.
    """

    def __init__(self, hub: HubProcess, stripe: Sandbox, people: Sequence[Login]) -> None:
        """Take whom they are and what they compare with."""
        self._hub = hub
        self._stripe = Api(stripe.url, {"authorization": f"Bearer {stripe.hello['api_key']}"})
        self._people = people
        self._tokens: dict[str, str] = {}

    def decide(self) -> None:
        """Answer whatever waits; what the hub cannot take now is answered the next time."""
        try:
            waiting = self._hub.api.get("/api/approvals", limit=200, timeout=10)["approvals"]
            if not waiting:
                return
            for asked in waiting:
                for person in self._people[: asked["needed"]]:
                    self._answer(person, asked["id"])
        except NoAnswer:
            return

    def _answer(self, person: Login, approval: str) -> None:
        try:
            api = self._as(person)
            asked = api.get(f"/api/approvals/{approval}")
            record = asked["record"]
            if self._total(record["id"]) == record["total"]["minor"]:
                body = {"password": person.password, "reason": "The same total as in Stripe."}
                api.post(f"/api/approvals/{approval}/approve", body)
            else:
                api.post(f"/api/approvals/{approval}/refuse", {"reason": "Not the total that Stripe has."})
        except NoAnswer as error:
            if error.status == _UNKNOWN:
                self._tokens.pop(person.email, None)

    def _total(self, name: str) -> int | None:
        """Give the total of an invoice or a credit note at Stripe, in minor units; None when it is not there."""
        kind = "credit_notes" if name.startswith("cn_") else "invoices"
        try:
            found = self._stripe.get(f"/v1/{kind}/{name}", timeout=10)
        except NoAnswer as error:
            if error.status == _ABSENT:
                return None
            raise
        total = found.get("total") if isinstance(found, dict) else None
        if not isinstance(total, int):
            raise NoAnswer(name, "the answer is about something else")
        return total

    def _as(self, person: Login) -> Api:
        if person.email not in self._tokens:
            order = {"email": person.email, "password": person.password}
            self._tokens[person.email] = self._hub.api.post("/api/sessions", order)["token"]
        return Api(self._hub.url, {"authorization": f"Bearer {self._tokens[person.email]}"})
