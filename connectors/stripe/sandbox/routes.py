"""Which path is which operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.stripe.sandbox import (
    accounts,
    balance,
    catalogue,
    charges,
    credit_notes,
    customers,
    disputes,
    endpoints,
    event_list,
    invoice_items,
    invoice_states,
    invoices,
    meter_events,
    meters,
    payment_intents,
    payments,
    payouts,
    prices,
    products,
    refunds,
    subscriptions,
    tax_calculations,
    tax_settings,
    tax_transactions,
    v2,
)
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.doorway import Operation
from connectors.stripe.sandbox.doorway_v2 import OperationV2
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.table import Table


def _whole(work: Callable[[Account, Parameters], Any]) -> Operation:
    return lambda account, _, parameters: work(account, parameters)


def _one(work: Callable[[Account, str], Any]) -> Operation:
    def operation(account: Account, identifier: str, parameters: Parameters) -> Any:
        parameters.finish()
        return work(account, identifier)

    return operation


def _from(table: Callable[[Account], Table]) -> Operation:
    return _one(lambda account, identifier: account.find(table(account), identifier))


#: Of the second API; the stream is served at a host of its own there, and at the same one here.
STREAM = "/v2/billing/meter_event_stream"
ROUTES_V2: tuple[tuple[str, str, OperationV2], ...] = (
    ("POST", "/v2/billing/meter_events", v2.create_meter_event),
    ("POST", "/v2/billing/meter_event_adjustments", v2.adjust_meter_event),
    ("POST", "/v2/billing/meter_event_session", v2.open_session),
    ("GET", "/v2/core/events", v2.list_events),
    ("GET", "/v2/core/events/{id}", v2.retrieve_event),
    ("POST", "/v2/core/event_destinations", v2.create_destination),
    ("GET", "/v2/core/event_destinations", v2.list_destinations),
    ("GET", "/v2/core/event_destinations/{id}", v2.retrieve_destination),
)
#: Method, path, operation; `{id}` is the object in the path.
ROUTES: tuple[tuple[str, str, Operation], ...] = (
    ("POST", "/v1/accounts", _whole(accounts.create)),
    ("GET", "/v1/accounts", _whole(accounts.list_page)),
    ("GET", "/v1/account", _whole(accounts.retrieve_current)),
    ("GET", "/v1/accounts/{id}", _from(lambda account: account.accounts)),
    ("POST", "/v1/customers", _whole(customers.create)),
    ("GET", "/v1/customers", _whole(customers.list_page)),
    ("GET", "/v1/customers/search", _whole(customers.search_page)),
    ("GET", "/v1/customers/{id}", _one(customers.retrieve)),
    ("POST", "/v1/customers/{id}", customers.update),
    ("DELETE", "/v1/customers/{id}", _one(customers.delete)),
    ("POST", "/v1/products", _whole(products.create)),
    ("GET", "/v1/products", _whole(products.list_page)),
    ("GET", "/v1/products/search", _whole(products.search_page)),
    ("GET", "/v1/products/{id}", _from(lambda account: account.products)),
    ("POST", "/v1/products/{id}", products.update),
    ("DELETE", "/v1/products/{id}", _one(products.delete)),
    ("POST", "/v1/prices", _whole(prices.create)),
    ("GET", "/v1/prices", _whole(prices.list_page)),
    ("GET", "/v1/prices/search", _whole(prices.search_page)),
    ("GET", "/v1/prices/{id}", _from(lambda account: account.prices)),
    ("POST", "/v1/prices/{id}", prices.update),
    ("POST", "/v1/coupons", _whole(catalogue.create_coupon)),
    ("GET", "/v1/coupons", _whole(catalogue.list_coupons)),
    ("GET", "/v1/coupons/{id}", _from(lambda account: account.coupons)),
    ("POST", "/v1/tax_rates", _whole(catalogue.create_tax_rate)),
    ("GET", "/v1/tax_rates", _whole(catalogue.list_tax_rates)),
    ("GET", "/v1/tax_rates/{id}", _from(lambda account: account.tax_rates)),
    ("POST", "/v1/invoiceitems", _whole(invoice_items.create)),
    ("GET", "/v1/invoiceitems", _whole(invoice_items.list_page)),
    ("GET", "/v1/invoiceitems/{id}", _from(lambda account: account.invoiceitems)),
    ("POST", "/v1/invoiceitems/{id}", invoice_items.update),
    ("DELETE", "/v1/invoiceitems/{id}", _one(invoice_items.delete)),
    # Subscriptions and their items.
    ("POST", "/v1/subscriptions", _whole(subscriptions.create)),
    ("GET", "/v1/subscriptions", _whole(subscriptions.list_page)),
    ("GET", "/v1/subscriptions/search", _whole(subscriptions.search_page)),
    ("GET", "/v1/subscriptions/{id}", _one(subscriptions.retrieve)),
    ("POST", "/v1/subscriptions/{id}", subscriptions.update),
    ("DELETE", "/v1/subscriptions/{id}", subscriptions.cancel),
    ("GET", "/v1/subscription_items", _whole(subscriptions.list_items)),
    ("GET", "/v1/subscription_items/{id}", _from(lambda account: account.subscription_items)),
    # Meters and what they count.
    ("POST", "/v1/billing/meters", _whole(meters.create)),
    ("GET", "/v1/billing/meters", _whole(meters.list_page)),
    ("GET", "/v1/billing/meters/{id}", _from(lambda account: account.meters)),
    ("POST", "/v1/billing/meters/{id}", meters.update),
    ("POST", "/v1/billing/meters/{id}/deactivate", meters.deactivate),
    ("POST", "/v1/billing/meters/{id}/reactivate", meters.reactivate),
    ("GET", "/v1/billing/meters/{id}/event_summaries", meters.summaries),
    ("POST", "/v1/billing/meter_events", _whole(meter_events.create)),
    ("POST", "/v1/billing/meter_event_adjustments", _whole(meter_events.adjust)),
    ("POST", "/v1/invoices", _whole(invoices.create)),
    ("GET", "/v1/invoices", _whole(invoices.list_page)),
    ("GET", "/v1/invoices/search", _whole(invoices.search_page)),
    ("GET", "/v1/invoices/{id}", _one(invoices.retrieve)),
    ("POST", "/v1/invoices/{id}", invoices.update),
    ("DELETE", "/v1/invoices/{id}", _one(invoices.delete)),
    ("GET", "/v1/invoices/{id}/lines", invoices.list_lines),
    ("POST", "/v1/invoices/{id}/add_lines", invoices.add_lines),
    ("POST", "/v1/invoices/{id}/finalize", invoice_states.finalize),
    ("POST", "/v1/invoices/{id}/pay", invoice_states.pay),
    ("POST", "/v1/invoices/{id}/void", invoice_states.void),
    ("POST", "/v1/invoices/{id}/mark_uncollectible", invoice_states.mark_uncollectible),
    ("POST", "/v1/invoices/{id}/send", invoice_states.send),
    ("POST", "/v1/invoices/{id}/attach_payment", payments.attach),
    ("GET", "/v1/invoice_payments", _whole(payments.list_page)),
    ("GET", "/v1/invoice_payments/{id}", _from(lambda account: account.invoice_payments)),
    ("POST", "/v1/payment_records/report_payment", _whole(payments.report)),
    ("GET", "/v1/payment_records/{id}", _from(lambda account: account.payment_records)),
    # Money: payment intents, charges, refunds, balance.
    ("POST", "/v1/payment_intents", _whole(payment_intents.create)),
    ("GET", "/v1/payment_intents", _whole(payment_intents.list_page)),
    ("GET", "/v1/payment_intents/search", _whole(payment_intents.search_page)),
    ("GET", "/v1/payment_intents/{id}", _from(lambda account: account.payment_intents)),
    ("POST", "/v1/payment_intents/{id}", payment_intents.update),
    ("POST", "/v1/payment_intents/{id}/confirm", payment_intents.confirm),
    ("POST", "/v1/payment_intents/{id}/capture", payment_intents.capture),
    ("POST", "/v1/payment_intents/{id}/cancel", payment_intents.cancel),
    ("GET", "/v1/charges", _whole(charges.list_page)),
    ("GET", "/v1/charges/search", _whole(charges.search_page)),
    ("GET", "/v1/charges/{id}", _from(lambda account: account.charges)),
    ("POST", "/v1/charges/{id}", charges.update),
    ("POST", "/v1/refunds", _whole(refunds.create)),
    ("GET", "/v1/refunds", _whole(refunds.list_page)),
    ("GET", "/v1/refunds/{id}", _from(lambda account: account.refunds)),
    ("POST", "/v1/refunds/{id}", refunds.update),
    ("POST", "/v1/refunds/{id}/cancel", refunds.cancel),
    ("POST", "/v1/credit_notes", _whole(credit_notes.create)),
    ("GET", "/v1/credit_notes", _whole(credit_notes.list_page)),
    ("GET", "/v1/credit_notes/preview", _whole(credit_notes.preview)),
    ("GET", "/v1/credit_notes/{id}", _one(credit_notes.retrieve)),
    ("POST", "/v1/credit_notes/{id}", credit_notes.update),
    ("POST", "/v1/credit_notes/{id}/void", credit_notes.void),
    ("GET", "/v1/credit_notes/{id}/lines", credit_notes.list_lines),
    ("GET", "/v1/customers/{id}/balance_transactions", credit_notes.list_balance),
    ("GET", "/v1/disputes", _whole(disputes.list_page)),
    ("GET", "/v1/disputes/{id}", _from(lambda account: account.disputes)),
    ("POST", "/v1/disputes/{id}", disputes.update),
    ("POST", "/v1/disputes/{id}/close", disputes.close),
    ("POST", "/v1/payouts", _whole(payouts.create)),
    ("GET", "/v1/payouts", _whole(payouts.list_page)),
    ("GET", "/v1/payouts/{id}", _from(lambda account: account.payouts)),
    ("POST", "/v1/payouts/{id}", payouts.update),
    ("POST", "/v1/payouts/{id}/cancel", payouts.cancel),
    ("POST", "/v1/tax/calculations", _whole(tax_calculations.create)),
    ("GET", "/v1/tax/calculations/{id}", _one(tax_calculations.retrieve)),
    ("GET", "/v1/tax/calculations/{id}/line_items", tax_calculations.list_lines),
    ("POST", "/v1/tax/transactions/create_from_calculation", _whole(tax_transactions.create_from_calculation)),
    ("POST", "/v1/tax/transactions/create_reversal", _whole(tax_transactions.create_reversal)),
    ("GET", "/v1/tax/transactions/{id}", _one(tax_transactions.retrieve)),
    ("GET", "/v1/tax/transactions/{id}/line_items", tax_transactions.list_lines),
    ("GET", "/v1/tax/settings", _whole(tax_settings.retrieve)),
    ("POST", "/v1/tax/settings", _whole(tax_settings.update)),
    ("POST", "/v1/tax/registrations", _whole(tax_settings.register)),
    ("GET", "/v1/tax/registrations", _whole(tax_settings.list_registrations)),
    ("GET", "/v1/tax/registrations/{id}", _one(tax_settings.retrieve_registration)),
    ("POST", "/v1/tax/registrations/{id}", tax_settings.change_registration),
    ("GET", "/v1/tax_codes", _whole(tax_settings.list_codes)),
    ("GET", "/v1/tax_codes/{id}", _one(tax_settings.retrieve_code)),
    ("GET", "/v1/balance", _whole(balance.retrieve_balance)),
    ("GET", "/v1/balance_transactions", _whole(balance.list_transactions)),
    ("GET", "/v1/balance_transactions/{id}", _from(lambda account: account.balance_transactions)),
    ("GET", "/v1/events", _whole(event_list.list_page)),
    ("GET", "/v1/events/{id}", _one(event_list.retrieve)),
    ("POST", "/v1/webhook_endpoints", _whole(endpoints.create)),
    ("GET", "/v1/webhook_endpoints", _whole(endpoints.list_page)),
    ("GET", "/v1/webhook_endpoints/{id}", _one(endpoints.retrieve)),
    ("POST", "/v1/webhook_endpoints/{id}", endpoints.update),
    ("DELETE", "/v1/webhook_endpoints/{id}", _one(endpoints.delete)),
)
