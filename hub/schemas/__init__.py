"""Schemas: the shapes they describe, what changes between versions, and how payloads drift away from them."""
