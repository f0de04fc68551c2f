"""Lineage: from where each field comes, and where it goes."""
