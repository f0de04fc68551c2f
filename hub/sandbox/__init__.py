"""Kit for vendor sandboxes: an HTTP server with a clock, a request log, faults, limits, books, a control API and TLS."""
