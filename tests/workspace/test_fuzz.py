"""Whatever stands in a file, the answer is lints, never an error of Python's."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.source.lint import Lints, Severity
from hub.workspace.source.yaml_source import plain, read_yaml
from tests.workspace import composed
from tests.workspace.conftest import encoded

#: Characters that mean something to YAML, to expressions, or to neither.
_HOSTILE = st.text(
    alphabet=st.sampled_from("abz019 \t\n\r:-?,[]{}#&*!|>'\"%@`=.<~/\\()$_é\u2028\ufeff\x00\x07\U0001f600"), max_size=40
)
_SNIPPETS = st.sampled_from(
    [
        "&a [*a]", "<<: *x", "!!python/object:os.system x", "? [x]\n: y", "- - - -", "{a: {b: [", "\n---\n", "...",
        "%YAML 1.1", "0x", "0o9", "1e400", "-.inf", "~", "''", '"\\u12"', '"\\UFFFFFFFF"', "|2\n x", ">-\n", "=",
        "=a.b[", "`", "'", "given('x')", "table('kinds', @)", "@", "*", "a || b", "a[?b==`1`]", "null: null",
        "steps: {}", "fields: []", "each: 1", "true: false", "\t", "key", "key: key: key", "[" * 40, "{a: " * 40,
        "wait: {}", "foreach: 1", "branch: []", "parallel: [[]]", "needs: [[]]", "undo: []", "on: { called: 1 }",
        "each: x\n      steps: 1", "emit: { type: concord }", "flow: {}", "approve: {}", "- id: []",
        "9" * 5000, "P1D", "!", "!<tag:yaml.org,2002:str> x", "\\", "a\u2028b",
    ]
)  # fmt: skip
_TEXTS = st.lists(st.one_of(_HOSTILE, _SNIPPETS), max_size=8).map(lambda parts: "".join(parts).encode())
_EDITS = st.tuples(st.floats(0, 1), st.integers(0, 60), st.one_of(_HOSTILE, _SNIPPETS))
_SLOW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(st.one_of(st.binary(max_size=200), _TEXTS))
@settings(max_examples=120, deadline=None, derandomize=True)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    lints = Lints("file.yaml")
    node = read_yaml(content, lints)
    if node is None:
        assert len(lints.found) == 1
        assert lints.found[0].severity is Severity.ERROR
    else:
        assert lints.found == []
        plain(node)


@given(data=st.data(), edits=st.lists(_EDITS, min_size=1, max_size=4))
@_SLOW
def test_a_damaged_workspace_gives_lints(
    files: dict[str, bytes], catalogue: Catalogue, data: st.DataObject, edits: list[tuple[float, int, str]]
) -> None:
    files = {**files, **encoded(composed.FILES)}
    path = data.draw(st.sampled_from(sorted(files)))
    text = files[path].decode()
    for where, length, inserted in edits:
        at = int(where * len(text))
        text = text[:at] + inserted + text[at + length :]
    bundle, lints = compile_bundle({**files, path: text.encode("utf-8", "surrogatepass")}, catalogue)
    assert (bundle is None) == any(lint.severity is Severity.ERROR for lint in lints)
    # The parser also begins a line after a bare carriage return and after Unicode's own line ends.
    lines = len(text.splitlines()) + 1
    for lint in lints:
        assert lint.line >= 1
        assert lint.column >= 1
        assert lint.path != path or lint.line <= lines + 1
        assert "\n" not in str(lint)


@given(
    name=st.sampled_from(["flows/a.yaml", "mappings/a/b.yaml", "schemas/x@1.json", "mappings/tables/t.csv"]),
    content=st.binary(max_size=300),
)
@_SLOW
def test_an_alien_file_gives_lints(files: dict[str, bytes], catalogue: Catalogue, name: str, content: bytes) -> None:
    bundle, lints = compile_bundle({**files, name: content}, catalogue)
    assert (bundle is None) == any(lint.severity is Severity.ERROR for lint in lints)
