"""What a connector's `samples.py` gives those who try it: inputs to call with, and webhooks to send."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSample:
    """A read that works against the seeded sandbox, once `after` has been written.

    `leaves` are the parts of the books that count what was asked, such as estimates which bind nobody.
    """

    operation: str
    input: Mapping[str, Any]
    after: Sequence[WriteSample] = ()
    leaves: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSample:
    """A write that works against the seeded sandbox, once `after` has been written.

    `documents(books)` counts, in the sandbox's books, what this write has made: 1 after it, however often it was sent.
    `interfering` is what somebody else then writes over it, which the guard of an upsert must see.
    """

    operation: str
    input: Mapping[str, Any]
    documents: Callable[[Mapping[str, Any]], int]
    after: Sequence[WriteSample] = ()
    interfering: Sequence[WriteSample] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSample:
    """A body in the connector's `fixtures/`, and some attributes of each event that must come of it."""

    fixture: str
    events: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingSample:
    """A listing of the connector, and what it must give.

    `records(books)` gives the ids of all its records out of the sandbox's books. `seed` is a second wish, given to the
    sandbox after that of the samples: with it there is more than one page.
    """

    listing: str
    records: Callable[[Mapping[str, Any]], Collection[str]]
    seed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """How the vendor signs, in other code than the connector's own (its sandbox's, or the vendor's library).

    - `sign(secret, body, at)` gives the headers of a webhook.
    - `secret` names the setting that holds the secret, `other_secret` is one of the same form that is wrong.
    - `header` is the header with the signature; `join(first, second)` puts two values of it into one, as vendors do
      while a secret is being changed (None where they never do).
    - `vouches` is False for a vendor that signs nothing: a secret that is shown tells who sends, and nothing shows
      whether the body is whole, or when it was sent.
    """

    sign: Callable[[str, bytes, datetime], Mapping[str, str]]
    secret: str
    other_secret: str
    header: str
    join: Callable[[str, str], str] | None = None
    vouches: bool = True
    #: Beyond this many seconds from now, before or after, a webhook must be refused.
    tolerance: float = 300.0
    #: Headers without which a webhook must be refused; the one with the signature always is.
    needed: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """All that is needed to try one connector against its sandbox, in its package as `SAMPLES` of `samples.py`.

    `settings` are invented values for every field, secrets among them, as the connector would find them in the vault.
    `seed` is the wish given to the sandbox before each live trial; of a connector without a network, the `files` of
    the workspace, by path. `wrong` are settings with which the vendor must refuse the connection; without it, every
    secret but those for webhooks is spoilt. `exempt` says of an operation (webhook's fixture, stream, listing) under
    which faults of the certification it cannot hold, and why.
    """

    settings: Mapping[str, Any]
    reads: Sequence[ReadSample] = ()
    writes: Sequence[WriteSample] = ()
    webhooks: Sequence[WebhookSample] = ()
    listings: Sequence[ListingSample] = ()
    signer: Signer | None = None
    seed: Mapping[str, Any] = field(default_factory=dict)
    wrong: Mapping[str, Any] | None = None
    exempt: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
