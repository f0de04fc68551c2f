"""`concord senders`: tokens for those who send events over the API."""

from __future__ import annotations

import secrets as entropy

import typer

from hub.access.senders import TOKEN_PREFIX
from hub.access.sessions import new_token, token_hash
from hub.cli import place
from hub.cli.output import console, print_json

app = typer.Typer(no_args_is_help=True)


@app.callback()
def senders() -> None:
    """Make tokens for those who send events over the API."""


@app.command()
def token(json_output: place.Json = False) -> None:
    """Make a token, and what stands of it in the environment's file; it is shown once and kept nowhere."""
    made = TOKEN_PREFIX + new_token(entropy.token_bytes)
    digest = f"sha256:{token_hash(made)}"
    if json_output:
        print_json({"token": made, "digest": digest})
        return
    told = (
        f"{made}\n\nGive it to the sender; it is not shown again. In the environment's file, the sender's `tokens` get "
        f"a line with it:\n\n  NAME: {digest}"
    )
    console.print(told, highlight=False, soft_wrap=True)
