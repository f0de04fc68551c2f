"""Checks of writes as pure functions: same request for same input, the key in one place, no credentials."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from hub.sdk.errors import FixData
from hub.sdk.exact_json import loads
from hub.sdk.settings import secret_fields
from hub.sdk.testing.samples import WriteSample
from hub.sdk.testing.subject import Subject
from hub.sdk.values import EffectKey, Idempotency, Request

KEY = EffectKey("0123456789abcdef0123456789abcdef")
OTHER_KEY = EffectKey("fedcba9876543210fedcba9876543210")
_CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"})


class WriteChecks(Subject):
    """A recorded request can be sent again years later: it depends on nothing but what it was made of."""

    def test_request_is_pure(self, write_sample: WriteSample) -> None:
        """Same input and key give the same bytes, and the input is left as it was."""
        before = deepcopy(dict(write_sample.input))
        first = self._request(write_sample, KEY)
        assert first == self._request(write_sample, KEY), "the request differs from one call to the next"
        assert write_sample.input == before, "`request` changed its input"
        reordered = _reversed_keys(write_sample.input)
        again = self.write_operation(write_sample.operation).request(self.made_up(), reordered, KEY)
        assert again == first, "the request depends on the order of the input's keys"

    def test_request_is_a_write(self, write_sample: WriteSample) -> None:
        """A write goes out as one, to an absolute address."""
        request = self._request(write_sample, KEY)
        assert request.method in {"POST", "PUT", "PATCH", "DELETE"}, f"{request.method} is no write"
        assert urlsplit(request.url).scheme in {"http", "https"}, f"{request.url} is not absolute"
        assert isinstance(request.body, bytes), "the body must be bytes"
        erases = self.write_operation(write_sample.operation).erases
        assert erases or request.method != "DELETE", "what deletes something says so with `erases`"

    def test_key_stands_in_one_place(self, write_sample: WriteSample) -> None:
        """Where the vendor is told the key, another key changes that place and nothing else."""
        operation = self.write_operation(write_sample.operation)
        if operation.idempotency not in {Idempotency.NATIVE, Idempotency.PROBE}:
            return
        one, other = (dict(_places(self._request(write_sample, key))) for key in (KEY, OTHER_KEY))
        differing = sorted(place for place in one.keys() | other.keys() if one.get(place) != other.get(place))
        # Who is told the key twice is told it as a key, and as a mark by which the write is found.
        most = 2 if operation.idempotency is Idempotency.NATIVE and operation.is_found else 1
        assert 1 <= len(differing) <= most, f"another key changes {differing or 'nothing'}; it must change one place"

    def test_look_depends_on_the_key(self, write_sample: WriteSample) -> None:
        """A look-up asks for this key, the same way each time."""
        operation = self.write_operation(write_sample.operation)
        if operation.look is None:
            return
        settings = self.made_up()
        assert operation.look(settings, KEY) == operation.look(settings, KEY), "`look` differs from call to call"
        assert operation.look(settings, KEY) != operation.look(settings, OTHER_KEY), "`look` does not ask for the key"

    def test_request_carries_no_credentials(self, write_sample: WriteSample) -> None:
        """What is recorded shows no secret, neither as it is nor encoded."""
        operation = self.write_operation(write_sample.operation)
        requests = [self._request(write_sample, KEY)]
        if operation.look is not None:
            requests.append(operation.look(self.made_up(), KEY))
        for request in requests:
            names = {name.lower() for name in request.headers}
            assert not names & _CREDENTIAL_HEADERS, f"credentials are recorded: {names & _CREDENTIAL_HEADERS}"
            headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
            recorded = f"{request.url}\n{headers}\n".encode() + request.body
            for name in secret_fields(self.connector.settings):
                for needle in _needles(str(self.settings[name])):
                    assert needle not in recorded, f"the secret {name} is in the recorded request"

    def _request(self, sample: WriteSample, key: EffectKey) -> Request:
        return self.write_operation(sample.operation).request(self.made_up(), sample.input, key)


def _needles(secret: str) -> Iterator[bytes]:
    """Give the forms a secret may hide in; a key of many lines is looked for line by line."""
    lines = [line for line in secret.splitlines() if len(line) >= 6 and not line.startswith("-----")]
    for line in lines:
        yield line.encode()
        yield quote(line, safe="").encode()
        yield quote_plus(line).encode()
        yield base64.b64encode(line.encode()).rstrip(b"=")[:-1]


def _places(request: Request) -> Iterator[tuple[str, str]]:
    """Take a request apart into its smallest places: parts of the address, headers, and leaves of the body."""
    address = urlsplit(request.url)
    yield "method", request.method
    yield "host", address.netloc
    yield from ((f"path {place}", part) for place, part in enumerate(address.path.split("/")))
    yield from (
        (f"query {place} {name}", value)
        for place, (name, value) in enumerate(parse_qsl(address.query, keep_blank_values=True))
    )
    yield from ((f"header {name.lower()}", value) for name, value in request.headers.items())
    try:
        yield from _leaves("body", loads(request.body) if request.body else None)
    except FixData:
        pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        yield from ((f"body {place} {name}", value) for place, (name, value) in enumerate(pairs))


def _leaves(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(f"{place}.{name}", item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(f"{place}[{number}]", item)
    else:
        yield place, repr(value)


def _reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reversed_keys(value[name]) for name in reversed(list(value))}
    if isinstance(value, list):
        return [_reversed_keys(item) for item in value]
    return value
