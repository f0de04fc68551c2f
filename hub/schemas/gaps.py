"""A gap between what is written and what is read: where, of which kind, and in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What may be written but not read: `template` names `{at}`, `{writer}`, `{reader}` and `{what}`."""

    path: str
    kind: str
    template: str
    what: str = ""

    def sentence(self, writer: str, reader: str) -> str:
        """Say it of these two versions."""
        at = f"`{self.path}`" if self.path else "the record"
        text = self.template.format(at=at, writer=writer, reader=reader, what=self.what)
        return f"{text[:1].upper()}{text[1:]}."
