"""Examples: the tests that stand beside mappings and policies, as data."""
