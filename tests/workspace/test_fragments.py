"""Fragments and the longer forms of a field, in files: what works together, and where a mistake is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.mapping.compiled import apply
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.source.lint import Lint

Break = Callable[..., list[Lint]]

IN = "mappings/billing/to_hub.yaml"
SCHEMA = "schemas/canonical.thing@1.json"
PARTY = "mappings/billing/party.yaml"
KIND = "  kind: table('kinds', kind, 'other')\n"
LONG = """\
  kind: { value: kind, default: "=table('kinds', id, 'other')", required: true }
  buyer: { use: billing/party, of: customer, fields: { vat: { value: vat, when: eu } } }
  deep:
    fields:
      deeper:
        each: a
        fields:
          deepest: { each: b, fields: { below: { of: c, fields: { n: n } } } }
"""


def test_the_longer_forms_work_in_a_file(files: dict[str, bytes], catalogue: Catalogue) -> None:
    files[IN] = files[IN].replace(KIND.encode(), LONG.encode())
    files[SCHEMA] = b"{}"
    bundle, lints = compile_bundle(files, catalogue)
    assert bundle is not None, [str(lint) for lint in lints]
    source = {"id": "a", "customer": {"name": "N", "vat": 1, "eu": True}, "a": [{"b": [{"c": {"n": 1}}]}]}
    assert apply(bundle.mappings["billing/to_hub"], source) == {
        "id": "a",
        "kind": "first",
        "buyer": {"name": "N", "vat": 1},
        "deep": {"deeper": [{"deepest": [{"below": {"n": 1}}]}]},
    }


@pytest.mark.parametrize(
    ("path", "old", "new", "place", "code", "words"),
    [
        (IN, KIND, "  kind: { valu: kind }\n", f"{IN}:7:11", "unknown-key", "`value`"),
        (IN, KIND, "  kind: { when: kind }\n", f"{IN}:7:9", "missing-key", "`value`, `each`"),
        (IN, KIND, "  kind: { value: kind, requierd: true }\n", f"{IN}:7:24", "unknown-key", "`required`"),
        (IN, KIND, "  kind: { value: kind, required: yes }\n", f"{IN}:7:34", "bad-value", "`true`"),
        (IN, KIND, "  kind: { value: kind, default: =b. }\n", f"{IN}:7:36", "syntax", "too early"),
        (IN, KIND, "  kind: { value: kind, default: \"=table('x', id)\" }\n", f"{IN}:7:41", "unknown-table", "x"),
        (IN, KIND, "  kind: { value: kind, back: kind. }\n", f"{IN}:7:35", "syntax", "too early"),
        (IN, KIND, "  to: { use: billing/partei, of: x }\n", f"{IN}:7:14", "unknown-fragment", "`billing/party`"),
        (IN, KIND, "  id: { use: billing/party }\n", f"{IN}:7:3", "duplicate-key", "line 6"),
        (IN, KIND, "  id.name: { use: billing/party }\n", f"{IN}:7:3", "filled-twice", "both a field"),
        (IN, KIND, "  to: { of: x }\n", f"{IN}:7:7", "missing-key", "`fields`, `use`"),
        (IN, "fields:\n  id", "rest: all\nfields:\n  id", f"{IN}:5:7", "bad-value", "`keep`"),
        (IN, "fields:\n  id", "without: [a]\nfields:\n  id", f"{IN}:5:1", "invalid-document", "needs `rest: keep`"),
        (IN, "fields:\n  id", "rest: keep\nwithout: [a b]\nfields:\n  id", f"{IN}:6:11", "bad-value", "a path"),
        (PARTY, "fields:\n  name: name", "feilds:\n  name: name", f"{PARTY}:2:1", "unknown-key", "`fields`"),
        (PARTY, "  name: name", "  name: upper(name", f"{PARTY}:3:19", "syntax", "too early"),
        (PARTY, "  name: name", "  name: table('no', name)", f"{PARTY}:3:15", "unknown-table", "`kinds`"),
        (PARTY, "  name: name", "  n: { use: billing/party }", f"{PARTY}:3:13", "fragment-in-itself", "uses itself"),
        (PARTY, "fragment: billing/party", "fragment: 1party", f"{PARTY}:1:11", "bad-value", "stripe/address"),
    ],
)  # fmt: skip
def test_one_mistake_gives_one_line(
    broken: Break, path: str, old: str, new: str, place: str, code: str, words: str
) -> None:
    (lint,) = broken(path, old, new)
    assert str(lint).startswith(f"{place}: error: "), str(lint)
    assert (lint.code, words in str(lint)) == (code, True), str(lint)


def test_who_uses_a_broken_fragment_is_not_to_blame(files: dict[str, bytes], catalogue: Catalogue) -> None:
    files[SCHEMA] = b"{}"
    files[IN] = files[IN].replace(KIND.encode(), b"  buyer: { use: billing/outer }\n")
    files["mappings/outer.yaml"] = b"fragment: billing/outer\nfields:\n  who: { use: billing/party, of: x }\n"
    assert compile_bundle(files, catalogue)[1] == []
    files[PARTY] = files[PARTY].replace(b"name: name", b"name: name.")
    assert [(lint.path, lint.line) for lint in compile_bundle(files, catalogue)[1]] == [(PARTY, 3)]
