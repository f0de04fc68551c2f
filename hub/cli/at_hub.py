"""The options of every command that speaks to a hub, said once: which hub, and whether machines read the answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, get_type_hints

from hub.cli import place
from hub.cli.output import console, print_json
from hub.cli.reach import Reached, reach


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHub:
    """The hub that a command was told to speak to; `json` says that machines read what it prints."""

    data: Path
    workspace: Path | None
    environment: str
    json: bool

    def reach(self) -> AbstractContextManager[Reached]:
        """Reach the hub, as long as the context lasts."""
        return reach(place.settings(self.data, self.workspace, self.environment, None))

    def tell(self, answer: Any, sentence: str) -> None:
        """Print what came of an order: the answer for machines, or a sentence for people."""
        if self.json:
            print_json(answer)
        else:
            console.print(sentence, markup=False, highlight=False)


def _options(
    *,
    data: place.Data = place.DEFAULT_DATA,
    workspace: place.Workspace = None,
    environment: place.Environment = place.DEFAULT_ENVIRONMENT,
    json_output: place.Json = False,
) -> AtHub:
    return AtHub(data=data, workspace=workspace, environment=environment, json=json_output)


_Own = ParamSpec("_Own")


def at_hub(command: Callable[Concatenate[AtHub, _Own], None]) -> Callable[..., None]:
    """Make a command of a function that is given the hub first; its other parameters are arguments and options."""

    @wraps(command)
    def whole(**given: Any) -> None:
        hub = _options(**{name: given.pop(name) for name in _NAMES})
        command(hub, **given)  # type: ignore[call-arg]

    hints = get_type_hints(command, include_extras=True)
    _, *own = inspect.signature(command).parameters.values()
    parameters = [parameter.replace(kind=_KEYWORD, annotation=hints[parameter.name]) for parameter in own]
    whole.__signature__ = inspect.Signature([*parameters, *_PARAMETERS])  # type: ignore[attr-defined]
    whole.__annotations__ = {parameter.name: parameter.annotation for parameter in (*parameters, *_PARAMETERS)}
    return whole


_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_HINTS = get_type_hints(_options, include_extras=True)
_PARAMETERS = [
    parameter.replace(annotation=_HINTS[parameter.name])
    for parameter in inspect.signature(_options).parameters.values()
]
_NAMES = [parameter.name for parameter in _PARAMETERS]
