"""Stripe's sandbox: the part of Stripe's API that an integration hub uses, behaving as Stripe does."""
