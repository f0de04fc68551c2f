"""`concord senders`: a token is shown once, and what stands of it in the file opens for it alone."""

from __future__ import annotations

import json
import re

from typer.testing import CliRunner

from hub.access.senders import by_token, recognise
from hub.cli.main import app
from hub.model.sender import Patterns, Sender


def made(*options: str) -> str:
    result = CliRunner().invoke(app, ["senders", "token", *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_token_opens_by_what_stands_of_it_in_the_file() -> None:
    told = json.loads(made("--json"))
    tokens = {"meter": told["digest"].removeprefix("sha256:")}
    sender = Sender(name="usage", title="", tokens=tokens, sources=Patterns(), types=Patterns())
    assert recognise(by_token([sender]), told["token"]).token == "meter"
    assert told["token"] not in told["digest"]


def test_no_two_are_alike_and_people_are_told_what_to_do() -> None:
    first, second = made(), made()
    tokens = [re.match(r"concord_send_[\w-]{43}$", text, flags=re.MULTILINE) for text in (first, second)]
    assert all(tokens)
    assert first != second
    assert re.search(r"^  NAME: sha256:[0-9a-f]{64}$", first, flags=re.MULTILINE)
