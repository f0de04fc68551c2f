"""The demo's finance team: two people who sign in, look at what they are asked, and agree as themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.proof.http_json import Api, NoAnswer
from hub.proof.hub_process import HubProcess, Login
from hub.proof.sandboxes import Sandbox

#: The status of a session that has ended.
_UNKNOWN = 401


class Approvers:
    """People who decide over the hub's API; they agree to what is in Stripe's books with the same total."""

    def __init__(self, hub: HubProcess, stripe: Sandbox, people: Sequence[Login]) -> None:
        """Take whom they are and what they compare with."""
        self._hub = hub
        self._stripe = stripe
        self._people = people
        self._tokens: dict[str, str] = {}

    def decide(self) -> None:
        """Answer whatever waits; what the hub cannot take now is answered the next time."""
        try:
            waiting = self._hub.api.get("/api/approvals", limit=200, timeout=10)["approvals"]
            if not waiting:
                return
            books = self._stripe.books()
            totals = {one["id"]: one["total"] for one in (*books["invoices"], *books["credit_notes"])}
            for asked in waiting:
                for person in self._people[: asked["needed"]]:
                    self._answer(person, asked["id"], totals)
        except NoAnswer:
            return

    def _answer(self, person: Login, approval: str, totals: Mapping[str, Any]) -> None:
        try:
            api = self._as(person)
            asked = api.get(f"/api/approvals/{approval}")
            record = asked["record"]
            if totals.get(record["id"]) == record["total"]["minor"]:
                body = {"password": person.password, "reason": "The same total as in Stripe."}
                api.post(f"/api/approvals/{approval}/approve", body)
            else:
                api.post(f"/api/approvals/{approval}/refuse", {"reason": "Not the total that Stripe has."})
        except NoAnswer as error:
            if error.status == _UNKNOWN:
                del self._tokens[person.email]

    def _as(self, person: Login) -> Api:
        if person.email not in self._tokens:
            order = {"email": person.email, "password": person.password}
            self._tokens[person.email] = self._hub.api.post("/api/sessions", order)["token"]
        return Api(self._hub.url, {"authorization": f"Bearer {self._tokens[person.email]}"})
