"""Templates with the words and pictures they may use; everything they print is escaped."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from ui import charts, drawing, payloads, words
from ui.icons import STEP_ICONS, icon

_markdown = MarkdownIt("js-default", {"html": False, "linkify": False}).disable("image")


def markdown(text: str) -> Markup:
    """Give a runbook as HTML: its own tags are shown as text, and its headings stand below the page's."""
    tokens = _markdown.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    return Markup(_markdown.renderer.render(tokens, _markdown.options, {}))  # noqa: S704 - the renderer escapes what is not its own


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "age": words.age,
        "amount": words.amount,
        "attempt_tone": words.attempt_tone,
        "body": payloads.body,
        "clock": words.clock,
        "duration": words.duration,
        "grouped": words.grouped,
        "markdown": markdown,
        "payload": payloads.payload,
        "sentence": words.sentence,
        "short_id": words.short_id,
        "ticked": words.ticked,
        "tone": words.tone,
    }
    environment.globals |= {"count": words.count, "icon": icon, "step_icons": STEP_ICONS}
    environment.globals |= {"bars": charts.bars, "lines": charts.lines, "spark": charts.spark, "shares": charts.shares}
    environment.globals |= {"draw_graph": drawing.draw_graph, "draw_spans": drawing.draw_spans}
    return environment


ENVIRONMENT = _environment()
