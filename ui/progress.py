"""Orders over many things, some at a time: what was done so far goes from page to page in the form itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hub.errors import FixData


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an order over many things has come; `left` counts what stayed as it was, by reason."""

    total: int
    seen: int = 0
    done: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    after: str | None = None

    @classmethod
    def of(cls, form: Mapping[str, str], total: int) -> Progress:
        """Read how far it had come; a form without that begins, with `total` things before it."""
        if "after" not in form:
            return cls(total=total)
        left = dict(part.rsplit(" ", 1) for part in form.get("left", "").split(",") if part)
        try:
            return cls(
                total=int(form.get("total", "0")),
                seen=int(form.get("seen", "0")),
                done=int(form.get("done", "0")),
                left={code: int(number) for code, number in left.items()},
                after=form["after"],
            )
        except ValueError:
            raise FixData("The form is not as the page made it; begin again.", code="form-unreadable") from None

    def add(self, *, seen: int, done: int, left: Mapping[str, int], after: str | None) -> Progress:
        """Add what the next lot came to."""
        codes = dict.fromkeys((*self.left, *left))
        return replace(
            self,
            total=max(self.total, self.seen + seen),
            seen=self.seen + seen,
            done=self.done + done,
            left={code: self.left.get(code, 0) + left.get(code, 0) for code in codes},
            after=after,
        )

    def form(self) -> dict[str, str]:
        """Give what the form of the next lot carries."""
        return {
            "after": self.after or "",
            "total": str(self.total),
            "seen": str(self.seen),
            "done": str(self.done),
            "left": ",".join(f"{code} {number}" for code, number in self.left.items()),
        }
