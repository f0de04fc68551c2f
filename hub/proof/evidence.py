"""What the oracle judges by, whoever gathered it: what was told, what books hold and should hold, what the hub has.

It knows no vendor. Everything that hangs on one business object carries that object's name as its `family`, so that
what follows from one defect is counted once. Amounts are in minor units of ISO 4217, whatever form a book has them in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

#: The family of what belongs to nothing that is known.
NOBODY = "nothing that is known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event as its sender sent it, and what it was answered; `spoiled` ones had a body that could not be read."""

    event: str
    family: str
    status: int | None
    spoiled: bool = False

    @property
    def acknowledged(self) -> bool:
        """Tell whether the hub said that it has it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """A fact that may have any of several values."""

    values: frozenset[object]

    def __str__(self) -> str:
        """Give them as a person reads them."""
        return " or ".join(sorted(map(str, self.values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One thing that a book holds.

    - `name` is what it stands for in the business: two documents of a kind with one name are one too many.
    - `id` is the book's own name for it, `title` how people call it.
    - `facts` are all that it says; `money` is its amount, where it moves money.
    - `place` is its place among all that its book accepted, and `subject` the subject of the event it came of, where
      the order counts.
    - `marker` is the key of the write that made it, where it shows one.
    - `reverses` is the id of the document that it takes back, and `stage` the place of a document's step in its flow,
      where it can be taken back.
    """

    book: str
    kind: str
    name: str
    family: str
    id: str = ""
    title: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    money: Decimal | None = None
    currency: str | None = None
    place: int | None = None
    subject: str | None = None
    reverses: str | None = None
    stage: int | None = None
    marker: str = ""

    @property
    def called(self) -> tuple[str, str, str]:
        """Give what it stands for."""
        return self.book, self.kind, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One thing that a book should hold, as its source says it; `facts` may name `OneOf` several values.

    What is not `needed` may be missing, and what is `never` must be. `subject` is that of the event which it comes of,
    where that is not its name.
    """

    book: str
    kind: str
    name: str
    family: str
    title: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    money: Decimal | None = None
    currency: str | None = None
    needed: bool = True
    never: bool = False
    subject: str | None = None

    @property
    def called(self) -> tuple[str, str, str]:
        """Give what it stands for."""
        return self.book, self.kind, self.name

    @property
    def told(self) -> str:
        """Give how people call it."""
        return f"{self.kind} {self.title or self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write that a target received: what it was about (`marker`), and the hash of its body.

    `refused` ones surely did nothing, as the target itself knows; of one that `settles`, its caller was told besides
    that none before it did anything. One that comes `afresh` may say something else: another event, or a person who has
    edited it, tells of the same, and its caller had looked before and found that none had done anything. `meant` says
    for what the hub recorded a write with just this body: its business key, and what it takes back; nothing where it
    recorded none. Writes are in the order in which they came.
    """

    book: str
    address: str
    marker: str
    family: str
    sha256: str
    refused: bool = False
    settles: bool = False
    afresh: bool = False
    meant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as the hub has it."""

    id: str
    external_id: str
    family: str
    type: str
    subject: str
    state: str
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the hub has it; `position` is its place in the order of acceptance, `money` what it is about."""

    id: str
    family: str
    flow: str
    key: str
    business_key: str
    event_id: str
    position: int
    state: str
    wait_kind: str | None = None
    reason: str | None = None
    replay_of: str | None = None
    replaced_by: str | None = None
    money: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An exception as the hub has it, open or settled."""

    run_id: str
    family: str
    reason: str
    open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An outside write as the hub has it; `output_id` is the id that it holds of what it made."""

    key: str
    family: str
    business_key: str
    state: str
    run_id: str = ""
    connection: str = ""
    operation: str = ""
    output_id: str | None = None
    #: The approvals under which it was intended, and the moments at which it was, where they were witnessed.
    approvals: Sequence[str] = ()
    intended: Sequence[float] = ()
    #: The hash of the request's body, and the key of the write that it takes back.
    sha256: str = ""
    undoes: str = ""
    #: The hash of the body without the currency, as a CRM with one currency is given it.
    without_currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one person said to an approval, and when; `began` stands for whoever began the work."""

    actor: str
    verdict: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What people agreed to, by the hash of its record."""

    id: str
    record_hash: str
    votes: Sequence[Vote] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What must have been agreed to before anything of a business key is written: by how many, and exactly what.

    `began` are people who ordered the work, each with the moment from which on their own word does not count. Without
    hashes it is judged by the books alone whether what was agreed to is what they have. Where `operations` are named,
    the others need nobody's agreement.
    """

    people: int
    record_hashes: frozenset[str] = frozenset()
    began: Mapping[str, float] = field(default_factory=dict)
    operations: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A time in which nothing new may go out: of a `run`, a `flow`, a `key` of a flow, or to a `connection`."""

    kind: str
    name: str
    key: str
    begins: float
    ends: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of the state of a `run` or an `effect`; `before` is None at its beginning."""

    kind: str
    id: str
    family: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trespass:
    """Something that a worker recorded of a run under an epoch that was no longer the run's own."""

    run_id: str
    family: str
    epoch: int
    stood: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRecords:
    """What the hub had committed in the end, and the changes of state on the way there, in their order."""

    events: Sequence[Event] = ()
    runs: Sequence[Run] = ()
    cases: Sequence[Case] = ()
    effects: Sequence[Effect] = ()
    changes: Sequence[Change] = ()
    trespasses: Sequence[Trespass] = ()
    approvals: Sequence[Approval] = ()
    holds: Sequence[Hold] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Which open exceptions a family must have, and which it may have as well.

    Of one that `waits`, runs may still wait for something that never comes.
    """

    exceptions: Sequence[str] = ()
    perhaps: frozenset[str] = frozenset()
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it; `expected` is by family, `flows` is event type → flows that it starts."""

    deliveries: Sequence[Delivery] = ()
    documents: Sequence[Document] = ()
    wanted: Sequence[Wanted] = ()
    writes: Sequence[Write] = ()
    hub: HubRecords = field(default_factory=HubRecords)
    expected: Mapping[str, Expected] = field(default_factory=dict)
    flows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: By business key, where anybody must have agreed.
    consents: Mapping[str, Consent] = field(default_factory=dict)
    #: Person → the times in which they could not agree to anything.
    away: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
