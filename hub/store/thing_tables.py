"""The tables of master data beside the crossrefs: what became of each thing, its parent, its records and duplicates."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text, text

from hub.store.tables import metadata

#: Every change of an id or of a parent, never altered: what holds of one is said by its latest row.
thing_history = Table(
    "thing_history",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("environment", String, nullable=False),
    Column("entity", String, nullable=False),
    # What the id names from here on, or named until it was untied; of a parent, what stands below it.
    Column("thing", String, nullable=False),
    Column("what", String, nullable=False),
    Column("system", String),
    Column("id", String),
    # The id's place among those of its system, from here on and before; 0 is the one that others are given.
    Column("rank", Integer),
    Column("was_rank", Integer),
    # The thing that the id came from, or the parent from here on; `was` is the parent before.
    Column("other", String),
    Column("was", String),
    # What belongs to one merge has its name.
    Column("change", String),
    Column("at", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("run_id", String),
    Column("path", String),
    Column("reason", Text),
    Index("ix_thing_history_thing", "environment", "entity", "thing", "position"),
    Index("ix_thing_history_id", "environment", "id", "position"),
    Index(
        "ix_thing_history_other",
        "environment",
        "entity",
        "other",
        sqlite_where=text("other IS NOT NULL"),
        postgresql_where=text("other IS NOT NULL"),
    ),
    Index(
        "ix_thing_history_change",
        "change",
        sqlite_where=text("change IS NOT NULL"),
        postgresql_where=text("change IS NOT NULL"),
    ),
)

#: Which thing stands straight above another.
parents = Table(
    "parents",
    metadata,
    Column("environment", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("thing", String, nullable=False),
    Column("parent", String, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("environment", "entity", "thing"),
    Index("ix_parents_parent", "environment", "entity", "parent"),
)

#: What a system's record said when it was compared with others last; retention takes the record, not the row.
matched_records = Table(
    "matched_records",
    metadata,
    Column("environment", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("system", String, nullable=False),
    Column("id", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("record", Text),
    # The values of its keys in words, as JSON.
    Column("keys", Text),
    Column("run_id", String),
    Column("path", String),
    Column("at", BigInteger, nullable=False),
    Column("pruned_at", BigInteger),
    PrimaryKeyConstraint("environment", "entity", "system", "id"),
    Index("ix_matched_records_at", "environment", "at"),
)

#: What records are compared by: SHA-256 of a key's name and value.
match_keys = Table(
    "match_keys",
    metadata,
    Column("environment", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("hash", String, nullable=False),
    Column("system", String, nullable=False),
    Column("id", String, nullable=False),
    Column("key", String, nullable=False),
    PrimaryKeyConstraint("environment", "entity", "hash", "system", "id"),
    Index("ix_match_keys_id", "environment", "entity", "system", "id"),
    sqlite_with_rowid=False,
)

#: Two records of which a person has to say, or has said, whether they are about one thing. It is records that are
#: remembered and not things: things are merged and split, and the word about the records stands.
match_pairs = Table(
    "match_pairs",
    metadata,
    Column("pair", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("policy", String, nullable=False),
    # The record that came second and waits, and the one that was there.
    Column("system", String, nullable=False),
    Column("id", String, nullable=False),
    Column("other_system", String, nullable=False),
    Column("other_id", String, nullable=False),
    # The names of the keys that agree, as a JSON list.
    Column("keys", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("run_id", String),
    Column("path", String),
    Column("found_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger),
    Column("decided_by", String),
    Column("reason", Text),
    # The merge that it became.
    Column("change", String),
    Index("ix_match_pairs_state", "environment", "state", "found_at"),
    Index("ix_match_pairs_id", "environment", "entity", "system", "id"),
    Index("ix_match_pairs_other_id", "environment", "entity", "other_system", "other_id"),
    Index(
        "ix_match_pairs_change",
        "change",
        sqlite_where=text("change IS NOT NULL"),
        postgresql_where=text("change IS NOT NULL"),
    ),
)
