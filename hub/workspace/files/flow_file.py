"""The keys of a flow file, declared once; those of its steps are in `step_file`."""

from __future__ import annotations

from hub.workspace.files.step_file import EVENT_TYPE, SCHEMA_NAME, STEPS
from hub.workspace.source.shapes import NAME, Choice, Duration, Either, Expression, Form, Key, Many, Text

CATCH_UP = Choice(of=("all", "last", "none"))
OVERLAP = Choice(of=("queue", "skip"))

SCHEDULE = Form(
    title="schedule",
    keys={
        "cron": Key(
            shape=Text(example='a cron line of five fields such as `"0 6 * * MON-FRI"`'),
            doc="the times at which it starts: minute, hour, day, month, day of the week",
        ),
        "every": Key(shape=Duration(), doc="how long it is from one start to the next"),
        "zone": Key(
            shape=Text(pattern=r"[A-Za-z][A-Za-z0-9_+/-]*", example="a time zone such as `Europe/Vienna`"),
            doc="the time zone of these times; UTC when left out",
        ),
        "catch_up": Key(
            shape=CATCH_UP, doc="which starts are made up for that were missed: `all`, the `last` one, or `none`"
        ),
        "overlap": Key(
            shape=OVERLAP,
            doc="what becomes of a start while an earlier run is open: it waits (`queue`) or is left out (`skip`)",
        ),
        "dead_man": Key(shape=Duration(), doc="how long after the last success somebody is alarmed"),
    },
    one_of=(("cron", "every"),),
)
ON = Form(
    title="on",
    keys={
        "event": Key(
            shape=Either(value=EVENT_TYPE, form=Many(item=EVENT_TYPE, least=1, most=20)),
            doc="the type of the events that start it, or a list of such types",
        ),
        "schedule": Key(shape=SCHEDULE, doc="the times at which it starts by itself"),
        "called": Key(shape=SCHEMA_NAME, doc="it is started by steps of other flows, with a record of this schema"),
    },
    one_of=(("event", "schedule", "called"),),
)
FLOW = Form(
    title="a flow",
    keys={
        "flow": Key(shape=Text(pattern=NAME, example="a name such as `invoice-to-erp`"), doc="its name", required=True),
        "title": Key(shape=Text(), doc="what people call it", required=True),
        "owner": Key(shape=Text(example="`team:finance-systems`"), doc="who looks after it", required=True),
        "on": Key(shape=ON, doc="what starts it", required=True),
        "key": Key(shape=Expression(), doc="order is kept among the events with the same key", required=True),
        "business_key": Key(
            shape=Expression(), doc="names the business fact, so that its effects happen once", required=True
        ),
        "entity": Key(shape=Expression(), doc="whose books it concerns, for rights and filters"),
        "money": Key(shape=Expression(), doc="what is at risk when a run stops"),
        "runbook": Key(
            shape=Text(pattern=r"docs/runbooks/[a-z0-9-]+\.md", example="`docs/runbooks/NAME.md`"),
            doc="what to do when it stops",
        ),
        "priority": Key(
            shape=Choice(of=("high", "normal", "low")),
            doc="who goes first where work waits for a slot or a limit; `normal` when left out",
        ),
        "on_failure": Key(
            shape=Choice(of=("park", "compensate")),
            doc="what follows when a step fails for good: stop for a person, or take back what was done",
        ),
        "output": Key(shape=Expression(), doc="what a step of another flow that called it gets"),
        "steps": Key(shape=STEPS, doc="what it does, in order", required=True),
    },
)
