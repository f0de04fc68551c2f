"""A change seen before it happens: what a revision changes, a shadow replay of recorded events, and its publishing."""
