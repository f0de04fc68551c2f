"""A registered secret is found in every form it may take on its way into a text."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, urlencode

from hypothesis import given
from hypothesis import strategies as st

from hub.connections.redaction import MASK, Redactor

SECRET = "sk/live+c4n4ry==value"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----\n"


def scrubbing(*secrets: str) -> Redactor:
    """Give a redactor that knows these."""
    redactor = Redactor()
    for secret in secrets:
        redactor.register(secret)
    return redactor


def test_a_text_without_secrets_stays() -> None:
    assert Redactor().scrub("nothing to hide") == "nothing to hide"
    assert scrubbing(SECRET).scrub("nothing to hide") == "nothing to hide"


def test_plain_and_url_forms_are_scrubbed() -> None:
    redactor = scrubbing(SECRET)
    assert redactor.scrub(f"key={SECRET};") == f"key={MASK};"
    assert redactor.scrub(f"https://x/?key={quote(SECRET, safe='')}&n=1") == f"https://x/?key={MASK}&n=1"
    assert redactor.scrub(urlencode({"key": SECRET})) == f"key={MASK}"


@given(before=st.binary(max_size=8), after=st.binary(max_size=8))
def test_base64_is_scrubbed_within_anything_longer(before: bytes, after: bytes) -> None:
    whole = before + SECRET.encode() + after
    redactor = scrubbing(SECRET)
    for encoded in (base64.b64encode(whole).decode(), base64.urlsafe_b64encode(whole).decode()):
        scrubbed = redactor.scrub(f"Basic {encoded}")
        assert MASK in scrubbed
        # At most the few characters that the neighbours share with the secret are left.
        assert len(scrubbed) - len(f"Basic {MASK}") <= len(base64.b64encode(before)) + len(base64.b64encode(after)) + 4


def test_a_key_file_is_scrubbed_whole_in_json_and_line_by_line() -> None:
    redactor = scrubbing(PEM)
    assert redactor.scrub(json.dumps({"key": PEM})) == json.dumps({"key": MASK})
    assert redactor.scrub("line 2: MIIEvQIBADANBgkqhkiG9w0BAQEF") == f"line 2: {MASK}"
    assert redactor.scrub("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert scrubbing("secret-one", "secret-one-and-more").scrub("a secret-one-and-more b") == f"a {MASK} b"


def test_json_values_are_scrubbed_everywhere() -> None:
    value = {"list": [SECRET, 1, None], SECRET: {"bytes": SECRET.encode()}, "n": 12}
    assert scrubbing(SECRET).scrub_json(value) == {"list": [MASK, 1, None], MASK: {"bytes": MASK.encode()}, "n": 12}


def test_a_word_too_short_to_be_a_secret_is_left_alone() -> None:
    assert scrubbing("at").scrub("look at that") == "look at that"
