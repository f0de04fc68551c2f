"""Stripe: invoices, customers, payments, events."""
