"""HTTP as the demo speaks it: JSON in and out, exact numbers, no proxies, short timeouts."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from hub.errors import FixData
from hub.sdk import exact_json

Answer = TypeVar("Answer")
#: From this status on, asking again may help.
TOO_MANY_REQUESTS = 429


class NoAnswer(Exception):
    """Nobody answered, or with something that is no success or cannot be read; `status` is that of a refusal."""

    def __init__(self, url: str, reason: str, status: int | None = None) -> None:
        """Take where it was asked, and what came."""
        super().__init__(f"{url}: {reason}")
        self.status = status


class Api:
    """One server's JSON API."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Take the base URL without a trailing slash, and headers that every request carries."""
        self.url = url
        self._headers = dict(headers or {})
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())

    def get(self, path: str, *, timeout: float = 60, **query: object) -> Any:
        """Read; query values that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        asked = path + (f"?{urlencode(given)}" if given else "")
        return self._read(asked, self.raw("GET", asked, timeout=timeout))

    def post(self, path: str, body: Any = None, *, timeout: float = 60) -> Any:
        """Order something."""
        return self._sent("POST", path, body, timeout)

    def put(self, path: str, body: Any, *, timeout: float = 60) -> Any:
        """Store something."""
        return self._sent("PUT", path, body, timeout)

    def form(self, path: str, fields: Mapping[str, str], *, timeout: float = 30) -> int:
        """Send a form as a browser on the server's own page would; gives the status."""
        host = self.url.partition("://")[2]
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "origin": self.url,
            "host": host,
            "sec-fetch-site": "same-origin",
        }
        return self._open("POST", path, urlencode(fields).encode(), headers, timeout)[0]

    def told(self, path: str, fields: Mapping[str, str], *, timeout: float = 30) -> Any:
        """Send a form to an API that takes forms; gives what it answers."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return self._read(path, self._open("POST", path, urlencode(fields).encode(), headers, timeout)[1])

    def raw(self, method: str, path: str, *, timeout: float = 60) -> bytes:
        """Give an answer's bytes."""
        return self._open(method, path, None, {}, timeout)[1]

    def _sent(self, method: str, path: str, body: Any, timeout: float) -> Any:
        data = exact_json.dumps({} if body is None else body)
        answer = self._open(method, path, data, {"content-type": "application/json"}, timeout)[1]
        return self._read(path, answer or b"null")

    def _read(self, path: str, answer: bytes) -> Any:
        try:
            return exact_json.loads(answer)
        except FixData as error:
            raise NoAnswer(self.url + path, f"the answer cannot be read: {error}") from None

    def _open(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes]:
        request = urllib.request.Request(  # noqa: S310 - the addresses are of servers that the demo started
            self.url + path, method=method, data=data, headers={**self._headers, **headers}
        )
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (302, 303):
                    return error.code, b""
                told = error.read()[:500].decode("utf-8", "replace")
            raise NoAnswer(self.url + path, f"{error.code} {told}", error.code) from None
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            raise NoAnswer(self.url + path, str(error)) from None


def insist(act: Callable[[], Answer], times: int = 30) -> Answer:
    """Do something until it is answered; raises `NoAnswer` when it is refused for good, or so many times in a row."""
    for _ in range(times - 1):
        try:
            return act()
        except NoAnswer as error:
            if error.status is not None and error.status < TOO_MANY_REQUESTS:
                raise
            time.sleep(0.2)
    return act()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Follow nothing: whoever redirects is the answer."""
        return
