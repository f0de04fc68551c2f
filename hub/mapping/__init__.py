"""Mappings: a record in one schema becomes a record in another, without side effects."""
