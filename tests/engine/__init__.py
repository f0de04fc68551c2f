"""Tests of the engine against a vendor in memory that commits, forgets to answer, and keeps books."""
