"""The command line: serve, check, demo, and all orders a person may give without a browser."""
