"""What no line of shipped code may do: run text as code, let a number lose digits, or name a place outside."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house.sources import PACKAGES, ROOT, calls, found_in, imported, modules, shown, tracked_files, tree

#: Calls that turn text or bytes into code or objects, by their name as written.
RUNS_TEXT = {"eval", "exec", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "builtins.eval"}
#: The one place that makes code: of syntax trees that the expression compiler builds itself, never of text.
MAKES_CODE = ROOT / "hub/expressions/program.py"
CODE_MAKERS = {"builtins.compile", "FunctionType", "types.FunctionType", "CodeType", "types.CodeType"}
#: Modules that do.
RUNS_BYTES = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
#: Rooms through which money passes; there, nothing is made a float.
EXACT_ROOMS = ("hub/model", "hub/audit", "hub/expressions", "hub/mapping", "hub/policy", "hub/billing", "hub/engine")
#: Where documents of others are read, and where money is counted.
READING_ROOMS = (
    *EXACT_ROOMS,
    "hub/sdk",
    "hub/api",
    "hub/intake",
    "hub/operate",
    "hub/queries",
    "hub/proof",
    "connectors",
)
#: In a connector, seconds come from answers in these files only: waits and lives of tokens.
SECONDS = {"failures.py", "logins.py"}


def test_nothing_turns_text_into_code() -> None:
    assert found_in(modules(*PACKAGES, "bench"), _code_makers) == {}


def test_no_float_is_made_where_money_passes() -> None:
    assert found_in(modules(*EXACT_ROOMS), _floats) == {}


def test_a_connector_makes_floats_of_seconds_only() -> None:
    paths = [path for path in modules("connectors") if path.name not in SECONDS and "sandbox" not in path.parts]
    assert found_in(paths, _floats) == {}


def test_json_is_read_without_losing_digits() -> None:
    assert found_in(modules(*READING_ROOMS), _careless_reads) == {}


def test_no_file_names_a_registry_or_a_place_on_somebodys_machine() -> None:
    # In parts, so that this file does not name them itself.
    hosts = [
        "pypi" + r"\.org",
        "python" + r"hosted\.org",
        "npmjs" + r"\.(?:org|com)",
        "index" + "-url",
        "find" + "-links",
    ]
    places = ["/ro" + "ot/", r"/ho" + r"me/\w", "/Us" + r"ers/\w", "/wo" + "rk/", "/op" + "t/"]
    wanted = re.compile("|".join([*hosts, *(rf"(?<![\w.}}*]){place}" for place in places)]))
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{shown(path)}:{number}: {match.group()}"
            for number, line in enumerate(text.splitlines(), start=1)
            if (match := wanted.search(line))
        ]
    assert found == []


def test_no_large_or_generated_file_is_kept() -> None:
    large = [shown(path) for path in tracked_files() if path.stat().st_size > 1_000_000]
    assert large == []
    assert [shown(path) for path in tracked_files() if path.suffix in {".lock", ".pyc", ".whl"}] == []
    assert not (ROOT / "package.json").exists()


def _code_makers(path: Path) -> list[str]:
    names = {name for name, _ in imported(path)}
    found = [f"{name} in line {call.lineno}" for name, call in calls(path) if name in RUNS_TEXT]
    found += [f"shell in line {call.lineno}" for _, call in calls(path) if _is_true(call, "shell")]
    found += [f"{name} in line {line}" for name, line in imported(path) if name.split(".")[0] in RUNS_BYTES]
    ours = {"hub.expressions.compiler.compile", "hub.expressions.compile"}
    makers = CODE_MAKERS if names & ours else CODE_MAKERS | {"compile"}
    if path != MAKES_CODE and not _defines(path, "compile"):
        found += [f"{name} in line {call.lineno}" for name, call in calls(path) if name in makers]
    return found


def _floats(path: Path) -> list[int]:
    return [call.lineno for name, call in calls(path) if name == "float"]


def _careless_reads(path: Path) -> list[int]:
    return [
        call.lineno
        for name, call in calls(path)
        if (name in {"json.loads", "json.load"} and not _has(call, "parse_float"))
        or (name == "msgspec.json.decode" and not _has(call, "type"))
        or (name == "msgspec.json.Decoder" and not (_has(call, "float_hook") or _has(call, "type") or call.args))
    ]


def _defines(path: Path, name: str) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree(path).body)


def _has(call: ast.Call, keyword: str) -> bool:
    return any(argument.arg == keyword for argument in call.keywords)


def _is_true(call: ast.Call, keyword: str) -> bool:
    return any(
        argument.arg == keyword and isinstance(argument.value, ast.Constant) and argument.value.value is True
        for argument in call.keywords
    )
