"""The tables; migrations in `hub/store/migrations` bring a database to this shape.

Times are microseconds since 1970 UTC; records are exact JSON as text; money is minor units and a currency.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

counters = Table(
    "counters", metadata, Column("name", String, primary_key=True), Column("value", BigInteger, nullable=False)
)

bundles = Table(
    "bundles",
    metadata,
    Column("id", String, primary_key=True),
    Column("files", LargeBinary, nullable=False),
    # The commit of the repository that the files came from, and whether they had changes on top of it.
    Column("commit", String),
    Column("dirty", Boolean),
    Column("created_at", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("external_id", String, nullable=False),
    Column("type", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("schema", String),
    Column("occurred_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    # Its place in the order in which events were taken, or released: a clock may be set back.
    Column("position", BigInteger, server_default="0", nullable=False),
    Column("via", String, nullable=False),
    Column("state", String, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("data", Text, nullable=False),
    Column("record_key", String),
    Column("body_hash", String, nullable=False),
    Column("entity", String),
    Column("reason", String),
    # What a person should know of it though it was taken: drift of its payload, and flows that could not begin.
    Column("flags", Text),
    # Who released it, when and why, and what it became.
    Column("release", Text),
    # The event whose payload a person edited into this one.
    Column("edited_from", String),
    # The run that told it or called with it, where no connection did.
    Column("cause", String),
    Column("pruned_at", BigInteger),
    UniqueConstraint("environment", "connection", "external_id"),
    # On PostgreSQL in blocks of the table: what has arrived together lies together.
    Index("ix_events_received_at", "received_at").ddl_if(dialect="sqlite"),
    Index(
        "ix_events_arrived",
        "received_at",
        "state",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    ).ddl_if(dialect="postgresql"),
    Index(
        "ix_events_edited_from",
        "edited_from",
        sqlite_where=text("edited_from IS NOT NULL"),
        postgresql_where=text("edited_from IS NOT NULL"),
    ),
    # What runs wait for: an event of a type about a subject.
    Index("ix_events_about", "environment", "type", "subject"),
    # What was kept back is rare; what no flow wanted need not be, and costs an entry only where there are no blocks.
    Index("ix_events_kept", "environment", "id", sqlite_where=text("state <> 'accepted'")).ddl_if(dialect="sqlite"),
    Index(
        "ix_events_held",
        "environment",
        "id",
        postgresql_where=text("state <> 'accepted' AND state <> 'unrouted'"),
    ).ddl_if(dialect="postgresql"),
    Index(
        "ix_events_flagged",
        "environment",
        "id",
        sqlite_where=text("flags IS NOT NULL"),
        postgresql_where=text("flags IS NOT NULL"),
    ),
)

#: The name that each event has at its connection, and what it said: by this it is known again, also once the event
#: itself is gone with its partition. On SQLite it is a view of `events`, whose unique key it then is; on PostgreSQL a
#: trigger of `events` fills it in the statement that stores them (see `hub/store/partitions.py`).
event_names = Table(
    "event_names",
    metadata,
    Column("environment", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("external_id", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("body_hash", String, nullable=False),
    PrimaryKeyConstraint("environment", "connection", "external_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("environment", String, nullable=False),
    Column("entity", String),
    Column("flow", String, nullable=False),
    Column("bundle", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("key", String, nullable=False),
    Column("business_key", String, nullable=False),
    Column("state", String, nullable=False),
    # True while later runs of the same flow and key must stay behind this one.
    Column("blocking", Boolean, nullable=False),
    # When a worker may claim it; null while it waits for something that is not a time, and at its end.
    Column("claimable_at", BigInteger),
    Column("wait_kind", String),
    Column("wait_on", String),
    Column("wait_until", BigInteger),
    Column("epoch", Integer, nullable=False),
    Column("owner", String),
    # How many processes in a row have died with it in hand without its getting any further, and how far it was then.
    Column("deaths", Integer, nullable=False, server_default="0"),
    Column("got_to", Integer, nullable=False, server_default="0"),
    Column("generation", Integer, nullable=False),
    # Lower goes first where work waits for a slot or a limit.
    Column("priority", Integer, nullable=False, server_default="20"),
    # Who ordered it, where a person did: such a person cannot approve what it does.
    Column("ordered_by", String),
    # What a person ordered of it while it could not end at once, with who and why, as JSON.
    Column("stopping", String),
    Column("stopping_order", Text),
    # The run and its step that wait for this one.
    Column("parent_run", String),
    Column("parent_path", String),
    # The approvals under which it was called, as a JSON list.
    Column("approvals", Text),
    # What a flow that others call has given.
    Column("output", Text),
    Column("replay_of", String),
    Column("replaced_by", String),
    Column("reason", String),
    Column("money_minor", BigInteger),
    Column("money_currency", String),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    # When its payloads were pruned by the retention policy.
    Column("pruned_at", BigInteger),
    Index(
        "ix_runs_claimable",
        "environment",
        "priority",
        "claimable_at",
        "position",
        sqlite_where=text("claimable_at IS NOT NULL"),
        postgresql_where=text("claimable_at IS NOT NULL"),
    ),
    Index(
        "ix_runs_order", "flow", "key", "position", sqlite_where=text("blocking = 1"), postgresql_where=text("blocking")
    ),
    # In the order in which those who wait for an account's limit are let go.
    Index(
        "ix_runs_wait_on",
        "wait_on",
        "priority",
        "flow",
        "position",
        sqlite_where=text("wait_on IS NOT NULL"),
        postgresql_where=text("wait_on IS NOT NULL"),
    ),
    # Runs whose work was ordered once more.
    Index(
        "ix_runs_newer",
        "business_key",
        sqlite_where=text("generation > 0"),
        postgresql_where=text("generation > 0"),
    ),
    # Queued runs that wait behind an earlier one of their key.
    Index(
        "ix_runs_behind",
        "environment",
        "flow",
        "key",
        "position",
        sqlite_where=text("wait_kind = 'order'"),
        postgresql_where=text("wait_kind = 'order'"),
    ),
    Index(
        "ix_runs_parent",
        "parent_run",
        sqlite_where=text("parent_run IS NOT NULL"),
        postgresql_where=text("parent_run IS NOT NULL"),
    ),
    Index("ix_runs_state", "state", "position"),
    Index("ix_runs_event_id", "event_id"),
    Index("ix_runs_position", "position"),
)

#: What runs wait for that wait for several things at once; who waits for one has it in `wait_on`.
awaited = Table(
    "awaited",
    metadata,
    Column("topic", String, nullable=False),
    Column("run_id", String, nullable=False),
    PrimaryKeyConstraint("topic", "run_id"),
    Index("ix_awaited_run_id", "run_id"),
    sqlite_with_rowid=False,
)

steps = Table(
    "steps",
    metadata,
    Column("run_id", String, nullable=False),
    Column("path", String, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("input", Text),
    Column("output", Text),
    # What came from outside, where the output was made of it, and the schema it came in: another version of the
    # workspace reads it again.
    Column("answer", Text),
    Column("answer_schema", Text),
    Column("rule", String),
    Column("error", Text),
    # CRC-32 of the values above: SQLite does not see a bit that flips in them.
    Column("checksum", BigInteger),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    PrimaryKeyConstraint("run_id", "path"),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", String, nullable=False),
    Column("path", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger, nullable=False),
    Column("status", Integer),
    Column("outcome", String, nullable=False),
    Column("detail", Text),
    PrimaryKeyConstraint("run_id", "path", "number"),
    sqlite_with_rowid=False,
)

effects = Table(
    "effects",
    metadata,
    Column("key", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("operation", String, nullable=False),
    Column("idempotency", String, nullable=False),
    Column("business_key", String, nullable=False),
    Column("path", String, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("run_id", String, nullable=False),
    # What it was formed of, whichever run has it by now.
    Column("event_id", String),
    Column("state", String, nullable=False),
    Column("method", String, nullable=False),
    Column("url", String, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("body_hash", String, nullable=False),
    Column("sent_at", BigInteger),
    Column("output", Text),
    Column("reason", String),
    # The status of the target's last answer, and how often it came once more in a row.
    Column("status", Integer),
    Column("repeats", Integer, nullable=False, server_default="0"),
    # What an upsert would overwrite, what stood there before it (JSON) and after it, and when that happened which it is
    # for: by these the next one tells what somebody else has changed.
    Column("object", String),
    Column("base", Text),
    Column("version", String),
    Column("moment", BigInteger),
    # How often the key at the target was changed, because the one before was surely used up for nothing.
    Column("renewals", Integer, nullable=False, server_default="0"),
    # The request that carries it together with others, and what the answer calls it; its own method, url, headers and
    # body are then empty, and `body_hash` is that of its input.
    Column("batch", String),
    Column("reference", String),
    # The effect that this one takes back.
    Column("undoes", String),
    # The approvals under which it was intended, as JSON; None when none was needed.
    Column("approvals", Text),
    # How a person settled it when nobody else could know: verdict, who, when, and the evidence, as JSON.
    Column("settlement", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Index("ix_effects_run_id", "run_id", "path"),
    Index(
        "ix_effects_object",
        "environment",
        "object",
        sqlite_where=text("object IS NOT NULL"),
        postgresql_where=text("object IS NOT NULL"),
    ),
    Index(
        "ix_effects_batch", "batch", sqlite_where=text("batch IS NOT NULL"), postgresql_where=text("batch IS NOT NULL")
    ),
    Index(
        "ix_effects_undoes",
        "undoes",
        sqlite_where=text("undoes IS NOT NULL"),
        postgresql_where=text("undoes IS NOT NULL"),
    ),
    Index("ix_effects_state", "state"),
    # What was ordered once more: that answers from then on.
    Index(
        "ix_effects_newer",
        "business_key",
        "path",
        sqlite_where=text("generation > 0"),
        postgresql_where=text("generation > 0"),
    ),
)

cases = Table(
    "cases",
    metadata,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("entity", String),
    Column("flow", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("path", String, nullable=False),
    Column("business_key", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("runbook", String),
    Column("owner", String),
    Column("money_minor", BigInteger),
    Column("money_currency", String),
    Column("state", String, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("closed_by", String),
    Column("resolution", Text),
    Index("ix_cases_state", "state", "opened_at"),
    Index("ix_cases_run_id", "run_id"),
)

crossrefs = Table(
    "crossrefs",
    metadata,
    Column("environment", String, nullable=False),
    Column("entity", String, nullable=False),
    Column("system", String, nullable=False),
    Column("id", String, nullable=False),
    Column("thing", String, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # Which run tied it, and in which step, as long as nobody else has; what a person tied has none.
    Column("run_id", String),
    Column("path", String),
    # Of several ids of one system for the thing: 0 is the one that others are given, all further ones are aliases.
    Column("rank", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("environment", "entity", "system", "id"),
    UniqueConstraint("environment", "entity", "thing", "system", "rank"),
    Index(
        "ix_crossrefs_run_id",
        "run_id",
        sqlite_where=text("run_id IS NOT NULL"),
        postgresql_where=text("run_id IS NOT NULL"),
    ),
)

audit = Table(
    "audit",
    metadata,
    Column("chain", String, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("chain", "sequence"),
    sqlite_with_rowid=False,
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("chain", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("chain_hash", LargeBinary, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("operation", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("path", String, nullable=False),
    Column("method", String, nullable=False),
    Column("url", String, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("body_hash", String, nullable=False),
    # What the answer calls each item → its effect's key, as JSON.
    Column("references", Text, nullable=False),
    Column("sent_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_batches_run_id", "run_id"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("run_id", String),
    Column("event_id", String),
    Column("connection", String),
    Column("path", String),
    Column("policy", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("bundle", String, nullable=False),
    Column("rules", Text, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("output", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_decisions_run_id", "run_id"),
    Index("ix_decisions_event_id", "event_id"),
    Index("ix_decisions_policy", "policy", "at"),
)
