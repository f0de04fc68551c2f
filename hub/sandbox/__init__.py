"""Kit for vendor sandboxes: HTTP shell, request log, faults, limits, books, control API, clock and TLS."""
