"""What a step of `pre` may do: only add, so that who does not know it reads and writes as before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, inspect

Shape = Mapping[str, Mapping[str, Any]]


def shape(connection: Connection) -> Shape:
    """Give what a process rests on: columns, keys and unique sets of every table."""
    seen = inspect(connection)
    seen.clear_cache()
    found: dict[str, dict[str, Any]] = {}
    for table in seen.get_table_names():
        unique = {tuple(sorted(each["column_names"])) for each in seen.get_unique_constraints(table)}
        unique |= {tuple(sorted(map(str, each["column_names"]))) for each in seen.get_indexes(table) if each["unique"]}
        found[table] = {
            "columns": {
                column["name"]: {
                    "type": str(column["type"]),
                    "nullable": column["nullable"],
                    "given": column["default"] is not None,
                }
                for column in seen.get_columns(table)
            },
            "key": tuple(seen.get_pk_constraint(table)["constrained_columns"]),
            "unique": unique,
            "checks": {each["name"] for each in seen.get_check_constraints(table)},
            "foreign": {tuple(each["constrained_columns"]) for each in seen.get_foreign_keys(table)},
        }
    return found


def not_added(before: Shape, after: Shape) -> Iterator[str]:
    """Tell what is other than before for those who know only what was there."""
    for table, was in before.items():
        if table == "alembic_version":
            continue
        if table not in after:
            yield f"{table} is gone"
            continue
        now = after[table]
        for name in ("key", "unique", "checks", "foreign"):
            if was[name] != now[name]:
                yield f"{table}: another {name}"
        for name, column in now["columns"].items():
            old = was["columns"].get(name)
            if old is None:
                if not column["nullable"] and not column["given"]:
                    yield f"{table}.{name} must be given, and older processes do not"
            elif (old["type"], old["given"]) != (column["type"], column["given"]):
                yield f"{table}.{name} is of another kind"
            elif old["nullable"] and not column["nullable"]:
                yield f"{table}.{name} must be given now"
        yield from (f"{table}.{name} is gone" for name in was["columns"].keys() - now["columns"].keys())
