"""Tests of a whole hub as a process of its own, over real HTTP."""
