"""The kinds of policies there are, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hub.model.kinds import Kind
from hub.policy.form import Asked, Given, Input, Match, Merge, PolicyKind, Setting
from hub.schemas.shape import ANYTHING, Shape, Unit

_TEXT = Shape(kinds=frozenset({Kind.STRING}))
_MAYBE_TEXT = _TEXT.nullable()
_NUMBER = Shape(kinds=frozenset({Kind.NUMBER}))
_WHOLE = Shape(kinds=frozenset({Kind.NUMBER}), whole=True)
_MINOR = Shape(kinds=frozenset({Kind.NUMBER}), whole=True, unit=Unit.MINOR)
_FLAG = Shape(kinds=frozenset({Kind.BOOLEAN}))
_DATE = Shape(kinds=frozenset({Kind.STRING}), format="date")
_MOMENT = Shape(kinds=frozenset({Kind.STRING}), format="date-time")
_SPAN = Shape(kinds=frozenset({Kind.STRING}), format="duration")
#: The roles whose people may agree; `hub.access` grants it to the same ones.
_APPROVERS = Shape(kinds=frozenset({Kind.STRING}), values=("approver", "controller"))
_MONEY = Shape(
    kinds=frozenset({Kind.OBJECT, Kind.NULL}),
    fields={"minor": _MINOR, "currency": _TEXT},
    required=frozenset({"minor", "currency"}),
)
_BOTH = (Match.FIRST, Match.ALL)

_WHERE = {
    "environment": Input(shape=_TEXT, doc="the environment's name"),
    "connection": Input(shape=_TEXT, doc="the connection's name"),
    "connector": Input(shape=_TEXT, doc="the connection's connector"),
}
_WHEN = {
    "now": Input(shape=_MOMENT, doc="the present moment, such as `2026-01-31T23:59:00Z`"),
    "today": Input(shape=_DATE, doc="the present date in UTC"),
}
_EVENT = Shape(
    kinds=frozenset({Kind.OBJECT}),
    fields={
        **dict.fromkeys(("id", "type", "connection", "environment"), _TEXT),
        **dict.fromkeys(("occurred_at", "received_at"), _MOMENT),
        "subject": _MAYBE_TEXT,
        "schema": _MAYBE_TEXT,
    },
    required=frozenset({"id", "type", "connection", "environment", "occurred_at", "received_at", "subject"}),
)
_WORK = {
    "flow": Input(shape=_TEXT, doc="the flow's name"),
    "entity": Input(shape=_MAYBE_TEXT, doc="whose books it concerns, as the flow's `entity` says"),
    "money": Input(shape=_MONEY, doc="the amount at stake, as the flow's `money` says: `minor` and `currency`"),
    "event": Input(shape=_EVENT, doc="the event that started the run: `id`, `type`, `connection`, `subject`, …"),
}

#: What a kind sees of the run whose step asks it.
_OF_A_STEP = {
    "environment": _WHERE["environment"],
    **_WORK,
    "input": Input(shape=ANYTHING, doc="the event's record"),
    **_WHEN,
}

ROUTE = PolicyKind(
    name="route",
    doc="Where something goes: the outputs are the flow's own, such as a connection and a subsidiary.",
    asked=Asked.STEP,
    scope=None,
    outputs=None,
    matches=(Match.FIRST,),
    unmatched="no-rule-matched",
)

THROTTLE = PolicyKind(
    name="throttle",
    doc="How much a connection may be asked for at this time; of vendor, connection and policy the lowest applies.",
    asked=Asked.CONNECTION,
    scope={
        **_WHERE,
        **_WHEN,
        "weekday": Input(shape=_WHOLE, doc="the day of the week in UTC: 1 is Monday, 7 is Sunday"),
        "hour": Input(shape=_WHOLE, doc="the hour of the day in UTC, from 0 to 23"),
    },
    outputs={
        "rate": Given(
            shape=_NUMBER,
            doc="how many requests may start in a second",
            merge=Merge.LOWEST,
            least=Decimal("0.01"),
            most=Decimal(100_000),
        ),
        "concurrency": Given(
            shape=_WHOLE,
            doc="how many requests may be in flight",
            merge=Merge.LOWEST,
            least=Decimal(1),
            most=Decimal(1000),
        ),
        "burst": Given(
            shape=_WHOLE,
            doc="how many requests may start at once, of those that `rate` allows",
            merge=Merge.LOWEST,
            least=Decimal(1),
            most=Decimal(100_000),
        ),
        "quota": Given(
            shape=_WHOLE,
            doc="how many requests may be made in the time that the connection's `quota_per` says, or in a day",
            merge=Merge.LOWEST,
            least=Decimal(1),
            most=Decimal(1_000_000_000),
        ),
    },
    matches=_BOTH,
)

RETRY = PolicyKind(
    name="retry",
    doc="How often and how patiently a call is tried again; times in seconds.",
    asked=Asked.RETRY,
    scope={
        "attempt": Input(shape=_WHOLE, doc="how many attempts failed, the first one included"),
        "draw": Input(shape=_NUMBER, doc="the random draw that spreads the waits, from 0 to 1"),
        "asked": Input(shape=_NUMBER.nullable(), doc="the seconds that the vendor asked to wait"),
    },
    outputs={
        "after": Given(
            shape=_NUMBER, doc="the seconds to wait; nothing when it is not tried again", merge=Merge.LOWEST
        ),
    },
    settings={
        "attempts": Setting(
            least=Decimal(1), most=Decimal(1000), doc="how often it is tried, the first time included", whole=True
        ),
        "first": Setting(least=Decimal("0.001"), most=Decimal(86_400), doc="seconds to wait after the first failure"),
        "factor": Setting(least=Decimal(1), most=Decimal(100), doc="how much longer each further wait is"),
        "ceiling": Setting(least=Decimal("0.001"), most=Decimal(604_800), doc="seconds of the longest wait"),
        "jitter": Setting(least=Decimal(0), most=Decimal(1), doc="up to which share a wait is shortened at random"),
        "longest": Setting(
            least=Decimal("0.001"), most=Decimal(604_800), doc="seconds up to which a vendor's wish to wait is honoured"
        ),
    },
)

APPROVE = PolicyKind(
    name="approve",
    doc="How many people must agree before a run goes on, who, and until when.",
    asked=Asked.STEP,
    scope=_OF_A_STEP,
    outputs={
        "approvals": Given(
            shape=_WHOLE,
            doc="how many people must agree",
            merge=Merge.MOST,
            required=True,
            least=Decimal(0),
            most=Decimal(10),
        ),
        "role": Given(
            shape=_APPROVERS,
            doc="the role they must have, `approver` or `controller`; without one, either",
            merge=Merge.LEADING,
        ),
        "deadline": Given(
            shape=_MOMENT, doc="until when, as a date or a moment; then it has expired", merge=Merge.EARLIEST
        ),
        "within": Given(
            shape=_SPAN, doc="how long they have; of this and `deadline` the earlier counts", merge=Merge.SHORTEST
        ),
        "escalate_after": Given(
            shape=_SPAN, doc="how long it is left to them before others may agree too", merge=Merge.SHORTEST
        ),
        "escalate_to": Given(
            shape=_APPROVERS,
            doc="the role whose people may agree too from then on",
            merge=Merge.LEADING,
            needs="escalate_after",
        ),
        "valid": Given(
            shape=_SPAN,
            doc="how long an approval holds once it is given; without it, until what is approved changes",
            merge=Merge.SHORTEST,
        ),
    },
    matches=_BOTH,
    leads="approvals",
)

HOLD = PolicyKind(
    name="hold",
    doc="Whether a write waits before it goes out, such as one into a closed period or during a freeze.",
    asked=Asked.CONNECTION,
    scope={
        **_WHERE,
        "operation": Input(shape=_TEXT, doc="the operation that would write"),
        **_WORK,
        "input": Input(shape=ANYTHING, doc="the record that would be written, as the mapping made it"),
        **_WHEN,
    },
    outputs={
        "reason": Given(shape=_TEXT, doc="why, for people", merge=Merge.JOINED, required=True),
        "until": Given(
            shape=_MOMENT, doc="until when, as a date or a moment; it is then asked again", merge=Merge.LATEST
        ),
    },
    matches=_BOTH,
    leads="until",
)

DRIFT = PolicyKind(
    name="drift",
    doc="What happens to an event whose payload differs from its registered schema: each finding is decided by itself.",
    asked=Asked.CONNECTION,
    scope={
        "finding": Input(
            shape=Shape(
                kinds=frozenset({Kind.OBJECT}),
                fields={
                    "kind": Shape(
                        kinds=frozenset({Kind.STRING}),
                        values=("unknown-field", "missing-field", "changed-type", "new-value", "unregistered-version"),
                    ),
                    "path": _TEXT,
                    "detail": _TEXT,
                },
                required=frozenset({"kind", "path", "detail"}),
            ),
            doc="what differs: `kind`, `path` (without list indexes) and `detail`",
        ),
        **_WHERE,
        "schema": Input(shape=_MAYBE_TEXT, doc="what the payload claims to be, such as `stripe.invoice@2025-09-30`"),
        "version": Input(shape=_MAYBE_TEXT, doc="the version in that name"),
        "registered": Input(shape=_FLAG, doc="whether that version is registered"),
        "event": Input(
            shape=Shape(kinds=frozenset({Kind.OBJECT}), fields=_EVENT.fields),
            doc="the event that brought it: `type` and more",
        ),
    },
    outputs={
        "action": Given(
            shape=Shape(kinds=frozenset({Kind.STRING}), values=("accept", "quarantine", "reject")),
            doc="`accept` (it is flagged), `quarantine` (it waits for a person) or `reject`",
            merge=Merge.SEVEREST,
            required=True,
            order=("accept", "quarantine", "reject"),
        )
    },
    matches=_BOTH,
    leads="action",
)

TOLERANCE = PolicyKind(
    name="tolerance",
    doc="How far an amount of one system may be from what another one makes it, and still stand.",
    asked=Asked.STEP,
    scope=_OF_A_STEP,
    outputs={
        "units": Given(
            shape=_MINOR,
            doc="by how many of the currency's smallest units they may differ; 0 for not at all",
            merge=Merge.LOWEST,
            required=True,
            least=Decimal(0),
            most=Decimal(1000),
        )
    },
    matches=_BOTH,
    unmatched="no-rule-matched",
    leads="units",
)

MATCH = PolicyKind(
    name="match",
    doc="By which keys two records may be about one thing; whoever agrees in one of them is asked about, or the same.",
    asked=Asked.MATCH,
    keys={
        "name": "what people call the key; no two have the same",
        "of": "the expressions, read on the record, whose values make it together; all of them must have one",
        "then": "what follows where two agree in it: a person is asked (`ask`, when left out), or they are the `same`",
    },
)

#: Every kind by its name.
KINDS: Mapping[str, PolicyKind] = {
    kind.name: kind for kind in (ROUTE, THROTTLE, RETRY, APPROVE, HOLD, DRIFT, TOLERANCE, MATCH)
}
