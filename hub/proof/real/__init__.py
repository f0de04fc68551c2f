"""Faults of real processes, servers, disks and networks: put in under load, measured, and judged from outside."""
