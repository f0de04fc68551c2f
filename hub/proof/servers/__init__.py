"""Real servers on loopback from packages of PyPI: PostgreSQL and NATS, for tests, demo, proof and measurements."""
