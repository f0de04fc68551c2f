"""`concord serve`: what is said when the hub answers, and the exit status."""

from __future__ import annotations

import os

from hub.cli.output import console, print_json
from hub.connections.keys import notice
from hub.runtime.composition import Composition, Hub
from hub.runtime.roles import Role, named
from hub.runtime.serve import serve
from hub.runtime.settings import HubSettings


def run_hub(settings: HubSettings, *, log_level: str, json_output: bool, composition: Composition | None = None) -> int:
    """Serve until told to stop; gives the exit status."""

    def ready(hub: Hub, url: str, setup: bool) -> None:
        first = f"{url}/setup?token={hub.setup_token}"
        if json_output:
            roles = named(settings.roles)
            named_so = {"environment": hub.environment.name, "roles": roles, "worker": hub.working.name}
            hello = {"url": url, "pid": os.getpid(), **named_so}
            print_json({**hello, "setup_url": first} if setup else hello)
            return
        if Role.API not in settings.roles:
            told = f"[bold]Concord[/] works for [bold]{hub.environment.name}[/] as {named(settings.roles)}"
            console.print(f"{told}; {url}/readyz tells whether it is ready")
            return
        console.print(f"[bold]Concord[/] serves [bold]{hub.environment.name}[/] at [link={url}]{url}[/]")
        made = notice(hub.key)
        if made:
            console.print(made)
        if setup:
            console.print(f"Nobody can sign in yet. Make the first administrator at {first}")

    return serve(settings, composition=composition, ready=ready, log_level=log_level)
