"""The keys of a flow's steps, declared once; steps stand within steps of some kinds."""

from __future__ import annotations

from hub.workspace.source.shapes import (
    NAME,
    PATH_NAME,
    SCHEMA,
    WORD,
    Again,
    Choice,
    Duration,
    Either,
    Expression,
    Flag,
    Form,
    Key,
    Many,
    Names,
    Shape,
    Term,
    Text,
    Whole,
)

#: More steps than these, all levels together, are more than a person can read.
MAX_STEPS = 200
#: So many steps may stand around one: a loop in a branch of a loop is hard enough to read.
MAX_DEPTH = 4
#: So many items of a loop may be worked on at once.
MAX_CONCURRENCY = 100

CASE = Text(pattern=r"[a-z][a-z0-9]*(-[a-z0-9]+)*", example="a reason such as `customer-not-mapped`")
MAPPING = Text(pattern=PATH_NAME, example="a mapping's name such as `stripe/invoice_to_hub`")
POLICY = Text(pattern=NAME, example="a policy's name")
OPERATION = Text(pattern=r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", example="an operation such as `invoice.upsert`")
PLACE = Text(pattern=r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", example="a step's place such as `outcome.post`")
CONNECTION = Term(pattern=NAME, example="a connection's name, or `=expression`")
SYSTEM = Term(pattern=NAME, example="a system such as `netsuite`, or `=expression`")
EVENT_TYPE = Text(pattern=r"[a-z][a-z0-9_-]*(\.[A-Za-z0-9_-]+)+", example="an event such as `stripe.invoice.finalized`")
SCHEMA_NAME = Text(pattern=SCHEMA, example="a schema with its version such as `canonical.invoice@1`")
ID = Text(pattern=WORD, example="a word such as `post`")
FAILURES = Choice(of=("park", "continue"))
GIVEN = Names(value=Expression(), key=WORD, example="customer")
_OF = Key(shape=Expression(), doc="what the mapping is applied to; the event's record when left out")
_GIVEN = Key(shape=GIVEN, doc="more values for the mapping, read there as `given('name')`")
_FAILURES = Key(
    shape=FAILURES,
    doc="what follows when items failed, once all others are done: stop for a person (`park`) or go on (`continue`)",
)

#: What a step does: exactly one of these keys.
ACTIONS = (
    "map",
    "decide",
    "lookup",
    "match",
    "call",
    "crossref",
    "approve",
    "wait",
    "foreach",
    "branch",
    "parallel",
    "emit",
    "flow",
)

CALL = Form(
    title="call",
    keys={
        "connection": Key(shape=CONNECTION, doc="which connection is called", required=True),
        "operation": Key(shape=OPERATION, doc="which operation of its connector", required=True),
        "with": Key(
            shape=MAPPING, doc="the mapping that makes the input; neither it nor `by` where the operation needs none"
        ),
        "of": _OF,
        "given": _GIVEN,
        "by": Key(shape=Term(example="an id or `=expression`"), doc="the id; the input is then `{id: …}`"),
        "into": Key(shape=MAPPING, doc="the mapping that the output goes through"),
        "each": Key(shape=Expression(), doc="a list: it is called for each item, many in one request where it can be"),
        "item": Key(shape=Expression(), doc="the name of an item of `each`, read on the item: no two have the same"),
        "failures": _FAILURES,
        "optional": Key(
            shape=Flag(),
            doc="whether it gives null where the target says that it has no such record, instead of failing",
        ),
    },
    apart=(("with", "by"), ("each", "optional")),
)
LOOKUP = Form(
    title="lookup",
    keys={
        "crossref": Key(shape=Text(pattern=WORD, example="`customer`"), doc="what kind of thing", required=True),
        "system": Key(shape=SYSTEM, doc="the system whose id is known", required=True),
        "id": Key(shape=Expression(), doc="the id that is known", required=True),
        "want": Key(shape=SYSTEM, doc="the system whose id is wanted", required=True),
        "optional": Key(shape=Flag(), doc="whether it gives null where nothing is found, instead of failing"),
        "above": Key(
            shape=Choice(of=("parent", "top")),
            doc="whose id is wanted: of what stands straight above it (`parent`), or of the topmost one (`top`)",
        ),
    },
)
MATCH = Form(
    title="match",
    keys={
        "policy": Key(shape=POLICY, doc="the policy of kind `match` that says by which keys", required=True),
        "of": Key(shape=Expression(), doc="the record that is compared; the event's record when left out"),
        "system": Key(shape=SYSTEM, doc="the system whose record it is", required=True),
        "id": Key(shape=Expression(), doc="its id there", required=True),
        "unless": Key(
            shape=Expression(),
            doc="where this is true, people are told of others that may be the same, and the run goes on all the same",
        ),
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
        "parent": Key(
            shape=Names(value=Term(example="`=expression`"), key=NAME, example="salesforce", terms=True),
            doc="a system and the id that what stands above it has there; it stands below nothing where that is null",
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
WAIT = Form(
    title="wait",
    keys={
        "for": Key(shape=Duration(), doc="how long it waits"),
        "until": Key(shape=Expression(), doc="the moment until which it waits, as a date or a time"),
        "event": Key(shape=EVENT_TYPE, doc="the type of the event it waits for"),
        "subject": Key(shape=Expression(), doc="what that event is about, as its `subject` says"),
        "timeout": Key(shape=Duration(), doc="how long the event may take to come"),
        "case": Key(shape=CASE, doc="the reason of the case that is opened then; `event-did-not-come` when left out"),
    },
    one_of=(("for", "until", "event"),),
)
UNDO = Form(
    title="undo",
    keys={
        "operation": Key(shape=OPERATION, doc="the operation that takes the call back", required=True),
        "with": Key(shape=MAPPING, doc="the mapping that makes its input"),
        "of": Key(shape=Expression(), doc="what the mapping is applied to; the call's own output when left out"),
        "given": _GIVEN,
        "by": Key(
            shape=Term(pattern="=.*", example="an expression such as `=post.id`"),
            doc="the id; the input is then `{id: …}`, and the `id` of the call's output when left out",
        ),
    },
    apart=(("with", "by"),),
)


def _steps() -> Shape:
    return STEPS


_INNER = Again(name="steps", of=_steps)
FOREACH = Form(
    title="foreach",
    keys={
        "each": Key(shape=Expression(), doc="the list", required=True),
        "as": Key(shape=ID, doc="what its steps call the item; `item` when left out"),
        "by": Key(
            shape=Expression(),
            doc="the name of an item, such as `line.id`, so that its steps have the same names when the list changes",
        ),
        "concurrency": Key(
            shape=Whole(minimum=1, maximum=MAX_CONCURRENCY), doc="how many items are worked on at once; 1 when left out"
        ),
        "failures": _FAILURES,
        "collect": Key(shape=Expression(), doc="what is kept of each item, after its steps"),
        "steps": Key(shape=_INNER, doc="what is done for each item, in order", required=True),
    },
)
ARM = Form(
    title="an arm of a branch",
    keys={
        "name": Key(shape=Text(pattern=NAME, example="a name such as `domestic`"), doc="its name", required=True),
        "when": Key(shape=Expression(), doc="it is taken when this is true, and no arm before it was"),
        "steps": Key(shape=_INNER, doc="what is done then, in order", required=True),
    },
)
EMIT = Form(
    title="emit",
    keys={
        "type": Key(
            shape=Text(pattern=r"concord(\.[A-Za-z0-9_-]+)+", example="an event such as `concord.invoice.posted`"),
            doc="the type of the event; it begins with `concord.`",
            required=True,
        ),
        "subject": Key(shape=Expression(), doc="what it is about, such as an id; empty when left out"),
        "with": Key(shape=MAPPING, doc="the mapping that makes its data"),
        "of": Key(shape=Expression(), doc="what the mapping is applied to, or its data; else the event's record"),
        "given": _GIVEN,
    },
)
SUBFLOW = Form(
    title="flow",
    keys={
        "flow": Key(
            shape=Text(pattern=NAME, example="a flow's name"),
            doc="the flow that is run: its `on` is `called`",
            required=True,
        ),
        "with": Key(shape=MAPPING, doc="the mapping that makes its record"),
        "of": Key(shape=Expression(), doc="what the mapping is applied to, or its record; else the event's record"),
        "given": _GIVEN,
    },
)
STEP = Form(
    title="a step",
    keys={
        "id": Key(shape=ID, doc="its name in this flow", required=True),
        "title": Key(shape=Text(), doc="what people call it"),
        "when": Key(shape=Expression(), doc="the step is left out unless this is true"),
        "map": Key(shape=MAPPING, doc="apply this mapping"),
        "of": Key(
            shape=Expression(), doc="what the mapping is applied to, or what is approved; the event's record otherwise"
        ),
        "given": _GIVEN,
        "decide": Key(shape=POLICY, doc="ask this policy; the output is what its rule gives"),
        "lookup": Key(shape=LOOKUP, doc="find what an id of one system is in another"),
        "match": Key(shape=MATCH, doc="compare a record with others: whether two are about one thing, a person says"),
        "call": Key(shape=CALL, doc="call an operation of a connection"),
        "crossref": Key(shape=LINK, doc="record that ids of several systems name one thing"),
        "approve": Key(shape=POLICY, doc="wait until as many people agree as this policy asks for"),
        "wait": Key(shape=WAIT, doc="wait for a time, until a moment, or for an event"),
        "foreach": Key(shape=FOREACH, doc="go through steps once for each item of a list"),
        "branch": Key(shape=Many(item=ARM, least=1, most=50), doc="take the first of several ways that is right"),
        "parallel": Key(shape=_INNER, doc="go through steps at the same time, each after those it needs"),
        "emit": Key(shape=EMIT, doc="tell an event of the hub's own, which may start other flows"),
        "flow": Key(shape=SUBFLOW, doc="run another flow and wait for its end"),
        "expect": Key(shape=EXPECT, doc="what must hold afterwards"),
        "missing": Key(shape=MISSING, doc="what happens when something has no entry in a crossref or table"),
        "undo": Key(shape=Either(value=OPERATION, form=UNDO), doc="the operation that takes the call back"),
        "undoes": Key(shape=PLACE, doc="the step whose write this call takes back, as its `undo` would"),
        "retry": Key(shape=POLICY, doc="the retry policy of the call"),
        "timeout": Key(shape=Duration(), doc="how long it may take from its first attempt, waits included"),
        "on_failure": Key(
            shape=Choice(of=("park", "continue", "compensate")),
            doc="what follows when it fails for good, in place of what the flow says",
        ),
        "needs": Key(
            shape=Many(item=ID, most=MAX_STEPS), doc="the steps of the same `parallel` that must be done before it"
        ),
    },
    one_of=(ACTIONS,),
)
STEPS = Many(item=STEP, least=1, most=MAX_STEPS)
