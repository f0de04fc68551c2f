"""Policies: decisions as pure functions of values."""
