"""JMESPath, compiled: exact numbers, positions in every message, budgets, and the house's own functions."""

from hub.expressions.compiler import compile as compile
