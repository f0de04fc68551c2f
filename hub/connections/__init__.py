"""Accounts at other systems: registry of connectors, vault of secrets, keys, redaction, limits and health."""
