"""Alembic migrations, one step for each change of the tables."""
