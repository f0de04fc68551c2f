"""Lines of a draft, changed and taken out again; each stands for an invoice item."""

from __future__ import annotations

from connectors.stripe.sandbox import invoice_items
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.invoice_sums import item_of, recompute, show
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{invoice}/lines/{id}`: amount, quantity, description, period, metadata."""
    invoice, line = _found(account, identifier)
    _change(account, invoice, line, parameters)
    return line


def update_some(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{id}/update_lines`."""
    invoice = account.find(account.invoices, identifier)
    parts = [(_of(account, invoice, part), part) for part in _parts(parameters)]
    for line, part in parts:
        _change(account, invoice, line, part)
    return show(account, invoice)


def remove(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{id}/remove_lines`: their items are deleted, or wait for another invoice (`unassign`)."""
    invoice = account.find(account.invoices, identifier)
    invoice_items.must_be_draft(invoice)
    wanted = []
    for part in _parts(parameters):
        line = _of(account, invoice, part)
        behavior = part.choice("behavior", "delete", "unassign")
        if behavior is None:
            raise ApiError.missing_parameter(part.name("behavior"))
        wanted.append((_item(line), behavior))
    parameters.finish()
    for item, behavior in wanted:
        if behavior == "delete":
            invoice_items.delete(account, item)
            continue
        lines = account.lines[invoice["id"]]
        lines[:] = [line for line in lines if item_of(line) != item]
        account.find(account.invoiceitems, item)["invoice"] = None
    recompute(account, invoice)
    return show(account, invoice)


def _change(account: Account, invoice: Record, line: Record, parameters: Parameters) -> None:
    invoice_items.must_be_draft(invoice)
    tree = {name: value for name, value in parameters.tree().items() if name not in {"expand", "id"}}
    invoice_items.update(account, _item(line), Parameters(tree, version=parameters.version))


def _parts(parameters: Parameters) -> list[Parameters]:
    parts = parameters.parts("lines")
    if not parts:
        raise ApiError.missing_parameter("lines")
    return parts


def _of(account: Account, invoice: Record, part: Parameters) -> Record:
    wanted = part.required("id")
    for line in account.lines[invoice["id"]]:
        if line["id"] == wanted:
            return line
    raise ApiError.no_such("invoice line item", wanted, param=part.name("id"), status=400)


def _found(account: Account, identifier: str) -> tuple[Record, Record]:
    for invoice, lines in account.lines.items():
        for line in lines:
            if line["id"] == identifier:
                return account.find(account.invoices, invoice), line
    raise ApiError.no_such("invoice line item", identifier)


def _item(line: Record) -> str:
    item = item_of(line)
    if item is None:
        raise ApiError.invalid("This line comes from a subscription and cannot be changed.", param="id")
    return item
