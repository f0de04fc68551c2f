"""The hub's own SQL: tables, migrations, the committer that makes many changes durable at once, and listings."""
