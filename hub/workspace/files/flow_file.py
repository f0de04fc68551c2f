"""The keys of a flow file, declared once."""

from __future__ import annotations

from hub.workspace.source.shapes import (
    NAME,
    PATH_NAME,
    WORD,
    Duration,
    Expression,
    Form,
    Key,
    Many,
    Names,
    Term,
    Text,
)

CASE = Text(pattern=r"[a-z][a-z0-9]*(-[a-z0-9]+)*", example="a reason such as `customer-not-mapped`")
MAPPING = Text(pattern=PATH_NAME, example="a mapping's name such as `stripe/invoice_to_hub`")
POLICY = Text(pattern=NAME, example="a policy's name")
OPERATION = Text(pattern=r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", example="an operation such as `invoice.upsert`")
CONNECTION = Term(pattern=NAME, example="a connection's name, or `=expression`")
SYSTEM = Term(pattern=NAME, example="a system such as `netsuite`, or `=expression`")
GIVEN = Names(value=Expression(), key=WORD, example="customer")

#: What a step does: exactly one of these keys.
ACTIONS = ("map", "decide", "lookup", "call", "crossref")

CALL = Form(
    title="call",
    keys={
        "connection": Key(shape=CONNECTION, doc="which connection is called", required=True),
        "operation": Key(shape=OPERATION, doc="which operation of its connector", required=True),
        "with": Key(shape=MAPPING, doc="the mapping that makes the input"),
        "of": Key(shape=Expression(), doc="what the mapping is applied to; the event's record when left out"),
        "given": Key(shape=GIVEN, doc="more values for the mapping, read there as `given('name')`"),
        "by": Key(shape=Term(example="an id or `=expression`"), doc="the id; the input is then `{id: …}`"),
        "into": Key(shape=MAPPING, doc="the mapping that the output goes through"),
    },
    one_of=(("with", "by"),),
)
LOOKUP = Form(
    title="lookup",
    keys={
        "crossref": Key(shape=Text(pattern=WORD, example="`customer`"), doc="what kind of thing", required=True),
        "system": Key(shape=SYSTEM, doc="the system whose id is known", required=True),
        "id": Key(shape=Expression(), doc="the id that is known", required=True),
        "want": Key(shape=SYSTEM, doc="the system whose id is wanted", required=True),
    },
)
LINK = Form(
    title="crossref",
    keys={
        "entity": Key(shape=Text(pattern=WORD, example="`invoice`"), doc="what kind of thing", required=True),
        "ids": Key(
            shape=Names(value=Term(example="an id or `=expression`"), key=NAME, example="stripe", terms=True),
            doc="its id in each system",
            required=True,
        ),
    },
)
ELSE = Form(title="else", keys={"case": Key(shape=CASE, doc="the reason of the case that is opened", required=True)})
EXPECT = Form(
    title="expect",
    keys={
        "equal": Key(shape=Many(item=Expression(), least=2, most=2), doc="two expressions that must be equal"),
        "same": Key(shape=Expression(), doc="the record that the step's output must agree with"),
        "fields": Key(shape=Many(item=Expression(), least=1, most=100), doc="the fields in which they must agree"),
        "else": Key(shape=ELSE, doc="what happens when they differ", required=True),
    },
    one_of=(("equal", "same"),),
)
MISSING = Form(
    title="missing",
    keys={
        "wait": Key(shape=Duration(), doc="how long it may still come"),
        "case": Key(shape=CASE, doc="the reason of the case that is opened then", required=True),
    },
)
STEP = Form(
    title="a step",
    keys={
        "id": Key(
            shape=Text(pattern=WORD, example="a word such as `post`"), doc="its name in this flow", required=True
        ),
        "title": Key(shape=Text(), doc="what people call it"),
        "when": Key(shape=Expression(), doc="the step is left out unless this is true"),
        "map": Key(shape=MAPPING, doc="apply this mapping"),
        "of": Key(shape=Expression(), doc="what the mapping is applied to; the event's record when left out"),
        "given": Key(shape=GIVEN, doc="more values for the mapping, read there as `given('name')`"),
        "decide": Key(shape=POLICY, doc="ask this policy; the output is what its rule gives"),
        "lookup": Key(shape=LOOKUP, doc="find what an id of one system is in another"),
        "call": Key(shape=CALL, doc="call an operation of a connection"),
        "crossref": Key(shape=LINK, doc="record that ids of several systems name one thing"),
        "expect": Key(shape=EXPECT, doc="what must hold afterwards"),
        "missing": Key(shape=MISSING, doc="what happens when something has no entry in a crossref or table"),
        "undo": Key(shape=OPERATION, doc="the operation that takes the call back"),
        "retry": Key(shape=POLICY, doc="the retry policy of the call"),
    },
    one_of=(ACTIONS,),
)
ON = Form(
    title="on",
    keys={
        "event": Key(
            shape=Text(
                pattern=r"[a-z][a-z0-9_-]*(\.[A-Za-z0-9_-]+)+", example="an event such as `stripe.invoice.finalized`"
            ),
            doc="the type of the events that start it",
            required=True,
        )
    },
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
        "steps": Key(shape=Many(item=STEP, least=1, most=200), doc="what it does, in order", required=True),
    },
)
