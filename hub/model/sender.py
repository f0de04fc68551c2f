"""A sender: somebody outside who may send events of their own, of which types, from which sources, by which tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

#: What the types of events begin with that senders send: what they call `usage.recorded`, flows call
#: `sent.usage.recorded`. So no sender can tell a vendor's events.
SENT = "sent"


@dataclass(frozen=True, slots=True)
class Patterns:
    """A few texts, and beginnings of texts: what ends in `*` stands for everything that begins so."""

    exact: frozenset[str] = frozenset()
    beginnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Take them as they are written in files."""
        known = tuple(texts)
        return cls(
            frozenset(text for text in known if not text.endswith("*")),
            tuple(text[:-1] for text in known if text.endswith("*")),
        )

    def __contains__(self, text: str) -> bool:
        """Tell whether a text is one of them."""
        return text in self.exact or text.startswith(self.beginnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who may send what in one environment; `name` is what stands in the place of the events' connection.

    - `tokens` maps the name of each token to its SHA-256 (hexadecimal): the token itself is kept nowhere.
    - `sources` and `types` are those of CloudEvents that it may send.
    - `schemas` maps types to the schema that the data of such events has.
    - `guards` maps kinds of policies to the policy that is asked (`drift`).
    """

    name: str
    title: str
    tokens: Mapping[str, str] = field(repr=False)
    sources: Patterns
    types: Patterns
    schemas: Mapping[str, str] = field(default_factory=dict)
    guards: Mapping[str, str] = field(default_factory=dict)
