"""Checks of webhooks: only what the vendor signed just now is trusted, and whatever is signed is read or refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.sdk.connector import Webhook
from hub.sdk.errors import UnreadableWebhook, WebhookRejected
from hub.sdk.exact_json import dumps, loads
from hub.sdk.testing.hostile import BODIES, JUNK
from hub.sdk.testing.samples import Signer, WebhookSample
from hub.sdk.testing.subject import Subject
from hub.sdk.values import InboundEvent

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
_WRONG: Sequence[Any] = (None, True, 7, "", "x", [], [None], {}, {"id": 7})


class WebhookChecks(Subject):
    """The zoo of webhooks that must not get in, and the few that must."""

    def test_webhooks_have_samples(self) -> None:
        """A connector with webhooks says how they are signed, and shows at least one."""
        if self.connector.webhook is not None:
            assert self.samples.signer is not None, "the test file has no `signer`"
            assert self.samples.webhooks, "the test file has no webhook sample"

    def test_right_signature_is_trusted(self, webhook_sample: WebhookSample) -> None:
        """What the vendor signed now gets in, also just inside the tolerance."""
        signer, body = self._signer(), self.fixture_body(webhook_sample.fixture)
        for seconds in (0.0, signer.tolerance - 2, 2 - signer.tolerance):
            self._verify(self._sign(body, at=NOW + timedelta(seconds=seconds)), body)

    def test_parse_gives_the_events(self, webhook_sample: WebhookSample) -> None:
        """A fixture gives the expected events, whole and well-formed."""
        events = self._webhook().parse(self.fixture_body(webhook_sample.fixture))
        assert len(events) == len(webhook_sample.events), f"{len(events)} events came of {webhook_sample.fixture}"
        for event, expected in zip(events, webhook_sample.events, strict=True):
            self.check_event(event)
            found = {name: getattr(event, name) for name in expected}
            assert found == dict(expected), f"{found} came, {dict(expected)} was expected"

    def test_missing_signature_is_refused(self, webhook_sample: WebhookSample) -> None:
        """Without the signature, or any header it needs, nothing gets in."""
        body = self.fixture_body(webhook_sample.fixture)
        headers = self._sign(body)
        self._refused({}, body, code="no-signature")
        for name in {self._signer().header, *self._signer().needed}:
            self._refused({other: value for other, value in headers.items() if other != name}, body)

    def test_wrong_signature_is_refused(self, webhook_sample: WebhookSample) -> None:
        """Another secret's signature does not get in."""
        body = self.fixture_body(webhook_sample.fixture)
        self._refused(self._sign(body, secret=self._signer().other_secret), body, code="bad-signature")

    def test_stale_and_future_are_refused(self, webhook_sample: WebhookSample) -> None:
        """A signature of another time does not get in, neither an old one nor one from the future."""
        signer, body = self._signer(), self.fixture_body(webhook_sample.fixture)
        if not signer.vouches:
            return
        for seconds in (signer.tolerance + 2, -signer.tolerance - 2, 86_400, -86_400):
            self._refused(self._sign(body, at=NOW + timedelta(seconds=seconds)), body, code="stale")

    def test_changed_body_is_refused(self, webhook_sample: WebhookSample) -> None:
        """One changed, added or missing byte is enough."""
        if not self._signer().vouches:
            return
        body = self.fixture_body(webhook_sample.fixture)
        headers = self._sign(body)
        middle = len(body) // 2
        changed = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        for other in (changed, body + b" ", body[:-1], b"", b" " + body):
            self._refused(headers, other, code="bad-signature")

    def test_several_signatures(self, webhook_sample: WebhookSample) -> None:
        """While a secret is being changed one right signature is enough, in any place; none is not."""
        signer, body = self._signer(), self.fixture_body(webhook_sample.fixture)
        if signer.join is None:
            return
        right, wrong = self._sign(body), self._sign(body, secret=signer.other_secret)
        good, bad = right[signer.header], wrong[signer.header]
        self._verify({**right, signer.header: signer.join(good, bad)}, body)
        self._verify({**right, signer.header: signer.join(bad, good)}, body)
        self._refused({**right, signer.header: signer.join(bad, bad)}, body, code="bad-signature")

    def test_junk_headers_are_refused(self, webhook_sample: WebhookSample) -> None:
        """Whatever stands in a header, the answer is a refusal and never a crash."""
        body = self.fixture_body(webhook_sample.fixture)
        headers = self._sign(body)
        for name in headers:
            for junk in JUNK:
                if name == self._signer().header or name in self._signer().needed:
                    self._refused({**headers, name: junk}, body)

    def test_unreadable_bodies_are_refused(self, webhook_sample: WebhookSample) -> None:
        """What is signed and makes no sense is unreadable, and never a crash."""
        for body in BODIES.values():
            with pytest.raises(UnreadableWebhook):
                self._webhook().parse(body)
        fixture = self.fixture_body(webhook_sample.fixture)
        with pytest.raises(UnreadableWebhook):
            self._webhook().parse(fixture[: len(fixture) // 2])

    def test_spoilt_bodies_are_read_or_refused(self, webhook_sample: WebhookSample) -> None:
        """A fixture with any one value left out or replaced is still events, or unreadable."""
        for spoilt in _bodies(self.fixture_body(webhook_sample.fixture)):
            try:
                events = self._webhook().parse(spoilt)
            except UnreadableWebhook:
                continue
            for event in events:
                self.check_event(event, whole=False)

    def check_event(self, event: InboundEvent, *, whole: bool = True) -> None:
        """Check what every event has; `whole` events also fit their schema."""
        assert event.external_id, "the event has no id"
        assert isinstance(event.external_id, str), f"the event's id is {event.external_id!r}"
        assert event.type.startswith(f"{self.connector.name}."), f"{event.type} must begin with the connector's name"
        assert event.occurred_at.tzinfo is not None, "the event's time names no time zone"
        if event.schema is not None:
            series = {name.partition("@")[0] for name in self.connector.schemas}
            assert event.schema.partition("@")[0] in series, f"{event.schema} is of no series of the connector"
            assert event.record is not None, "an event with a schema has a record"
            if whole:
                assert event.schema in self.connector.schemas, f"{event.schema} is not among the schemas"
                mistakes = self.mistakes(self.connector.schemas[event.schema], event.record)
                assert not mistakes, mistakes

    def _webhook(self) -> Webhook:
        if self.connector.webhook is None:
            pytest.fail("there are webhook samples, and the connector has no webhook")
        return self.connector.webhook

    def _signer(self) -> Signer:
        if self.samples.signer is None:
            pytest.fail("the test file has no `signer`")
        return self.samples.signer

    def _sign(self, body: bytes, *, at: datetime = NOW, secret: str | None = None) -> dict[str, str]:
        signer = self._signer()
        signed = signer.sign(secret or str(self.settings[signer.secret]), body, at)
        return {name.lower(): value for name, value in signed.items()}

    def _verify(self, headers: Mapping[str, str], body: bytes) -> None:
        self._webhook().verify(self.made_up(), headers, body, NOW)

    def _refused(self, headers: Mapping[str, str], body: bytes, *, code: str | None = None) -> None:
        with pytest.raises(WebhookRejected) as refusal:
            self._verify(headers, body)
        if code is not None:
            assert refusal.value.code == code, f"refused as {refusal.value.code}, not as {code}"


def _bodies(body: bytes) -> Iterator[bytes]:
    """Give a body again and again, each time spoilt in one place: by value where it is JSON, else by tag and text."""
    if body.lstrip()[:1] in (b"{", b"["):
        yield from map(dumps, _spoilt(loads(body)))
        return
    for found in re.finditer(rb"<[^>]*>|[^<>]+", body):
        for wrong in (b"", b"x", b"&no;", found[0] * 2):
            yield body[: found.start()] + wrong + body[found.end() :]


def _spoilt(value: Any) -> Iterator[Any]:
    """Give the document again and again, each time with one value left out or replaced by something wrong.

    It is the same document each time, whole again when the next is asked for: copies of a large one take minutes.
    """
    for path in list(_paths(value)):
        parent, last = _parent(value, path), path[-1]
        whole = parent.copy()
        for wrong in _WRONG:
            parent[last] = wrong
            yield value
        del parent[last]
        yield value
        parent.clear()
        # Lists and objects in their own order.
        parent.extend(whole) if isinstance(parent, list) else parent.update(whole)


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    names: Sequence[Any] = list(value) if isinstance(value, dict) else range(len(value))
    for name in names:
        yield (*above, name)
        if isinstance(value[name], dict | list):
            yield from _paths(value[name], (*above, name))


def _parent(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path[:-1]:
        value = value[name]
    return value
