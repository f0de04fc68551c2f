"""What a command is given: the text of a file or of stdin, and one word of those that there are."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from hub.cli.output import EXIT_WRONG, fail
from hub.errors import FixData


def text_of(file: Path | str) -> str:
    """Read a file of text, or stdin for `-`; raises `FixData` for what is no text in UTF-8."""
    try:
        return sys.stdin.read() if str(file) == "-" else Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise not_text(file, error) from None


def not_text(file: Path | str, error: UnicodeDecodeError) -> FixData:
    """Give what to say of a file that is no text."""
    named = "what came on stdin" if str(file) == "-" else str(file)
    return FixData(f"{named} is no text in UTF-8: byte {error.start} cannot be read.", code="not-text")


def one_of(word: str | None, known: Iterable[str], what: str) -> None:
    """Exit with what there is unless a word that was given is among it; `what` is like "state of an event"."""
    words = [*known]
    if word is not None and word not in words:
        fail(f"`{word}` is no {what}. There are: {', '.join(words)}.", EXIT_WRONG)
