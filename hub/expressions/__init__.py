"""JMESPath, compiled: exact numbers, positions in every message, budgets, and the house's own functions."""
