"""What one table engine is told: what is rounded, and how."""

from __future__ import annotations

from enum import StrEnum

from hub.sdk.settings import Settings

#: Where requests go to; nothing is sent anywhere.
HERE = "https://taxtable.embedded"


class Rounding(StrEnum):
    """What is rounded to the currency's smallest unit: each jurisdiction's tax of a line, a line's, or a document's."""

    JURISDICTION = "jurisdiction"
    LINE = "line"
    DOCUMENT = "document"


class Halves(StrEnum):
    """Where an exact half goes: away from zero, or to the even neighbour."""

    UP = "up"
    EVEN = "even"


class TaxtableSettings(Settings):
    """One engine; `rounding` and `halves` have no usual value, because authorities want different ones."""

    base_url: str = HERE
    rounding: Rounding
    halves: Halves
