"""Those who have signed contracts, once they are billed: some pay by card, some report that they have paid a part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hub.proof import contract_invoices
from hub.proof.crm import Contract, Paid
from hub.proof.http_json import insist
from hub.proof.stage import Stage

#: A part is one of so many of what is owed.
_PARTS = 3


class ContractPayers:
    """They wait for the invoices of their contracts, and do with each what was drawn, once."""

    def __init__(
        self, stage: Stage, contracts: Sequence[Contract], ids: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        """Take whom they have signed with; `ids` are the CRM's of contracts by their names, once these are there."""
        self._stage = stage
        self._ids = ids
        self._say = say
        self._left = list(contracts)

    def go_on(self) -> bool:
        """Pay what is billed by now; tells whether each contract is billed, and whatever is paid of it is paid."""
        if not self._left:
            return True
        billed = contract_invoices.of_contracts(self._stage.stripe.books())
        ready = [(one, invoice) for one in self._left for invoice in self._open(one, billed)]
        paying = [(one, invoice) for one, invoice in ready if one.paid is not Paid.NOT]
        if paying:
            self._say(f"{len(paying)} invoices of contracts are paid, in part or whole.")
        for one, invoice in paying:
            (self._by_card if one.paid is Paid.CARD else self._in_part)(invoice)
        done = {one.key for one, _ in ready}
        self._left = [one for one in self._left if one.key not in done]
        return not self._left

    def _open(
        self, contract: Contract, billed: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> Iterator[Mapping[str, Any]]:
        """Give the first invoice of a contract as soon as it can be paid."""
        invoices = billed.get(self._ids.get(contract.key, ""), ())
        yield from [one for one in invoices if one["status"] == "open"][:1]

    def _by_card(self, invoice: Mapping[str, Any]) -> None:
        api = self._stage.as_person(f"pay-{invoice['id']}")
        insist(lambda: api.form(f"/v1/invoices/{invoice['id']}/pay", {"payment_method": "pm_card_visa"}, timeout=3))

    def _in_part(self, invoice: Mapping[str, Any]) -> None:
        name = invoice["id"]
        reporting, attaching = self._stage.as_person(f"report-{name}"), self._stage.as_person(f"attach-{name}")
        reported = {
            "amount_requested[value]": str(invoice["amount_remaining"] // _PARTS),
            "amount_requested[currency]": invoice["currency"],
            "customer_details[customer]": invoice["customer"],
            "initiated_at": str(invoice["created"]),
            "outcome": "guaranteed",
        }
        record = insist(lambda: reporting.told("/v1/payment_records/report_payment", reported, timeout=3))["id"]
        insist(lambda: attaching.form(f"/v1/invoices/{name}/attach_payment", {"payment_record": record}, timeout=3))
