"""What is wrong with a file's YAML, in the words of one who writes it and not of one who parses it."""

from __future__ import annotations

#: Words of the parser → what they mean, and what to write instead; the first that fits counts.
_PROBLEMS = (
    ("\\t", "a tab stands where only spaces may", "Indent with spaces."),
    ("stream end", "the file ends before a bracket is closed", "Close the bracket."),
    ("end of stream", "the file ends before a quote is closed", "Close the quote."),
    ("document separator", "the file ends before a quote is closed", "Close the quote."),
    ("mapping values are not allowed", "a `:` cannot stand here", "Check the indentation, or quote a value with `: `."),
    ("expected ',' or", "a `,` or the closing bracket is missing", "Close the bracket, or quote a value with `,[]{}`."),
    ("could not find expected ':'", "a `:` is missing after a key", "Write `key: value`."),
    ("expected chomping", "a `|` or `>` stands where a value begins or ended", "Quote the whole value."),
    ("expected <block end>, but found '<scalar>'", "more follows after the closing quote", "Quote the whole value."),
    ("expected <block end>", "the indentation does not fit", "Indent the keys that belong together alike."),
    ("expected alphabetic or numeric", "a `&` or `*` stands before a value", "Quote the value."),
    ("that cannot start any token", "this character cannot begin a value", "Quote the value."),
    (
        "unknown escape",
        "after `\\` comes a letter that means nothing",
        "Write `\\\\` for a backslash, or use single quotes.",
    ),
    (
        "escape sequence",
        "after `\\` comes a number of the wrong length",
        "Write `\\\\` for a backslash, or use single quotes.",
    ),
    ("sequence entries are not allowed", "a list cannot begin here", "Begin it on a line of its own."),
    ("<document start>", "this cannot stand after the end", "Take out what is too much, or indent it."),
    ("expected the node content", "a value is missing before this", "Write the value, or take this out."),
    ("undefined tag handle", "a `!` stands before a value", "Quote the value."),
)


def explain(problem: str) -> tuple[str, str]:
    """Give what a parser's words mean, without a full stop, and what to write instead."""
    for words, message, hint in _PROBLEMS:
        if words in problem:
            return message, hint
    return problem.strip().rstrip("."), "Check quotes, brackets and indentation."
