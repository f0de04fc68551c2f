"""A request's parameters: each is asked for by name and type, and what nobody asked for is refused."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any

from connectors.stripe.sandbox.lengths import SHORTEST, most_of
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.versions import NEWEST

MAX_METADATA_KEYS = 50
MAX_METADATA_KEY = 40
MAX_METADATA_VALUE = 500


class Parameters:
    """One level of a request's parameters; strings from a form, or JSON values from a seed."""

    def __init__(
        self,
        tree: Mapping[str, Any],
        *,
        within: str = "",
        version: str = NEWEST,
        lengths: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Take the decoded values; `within` is the name of the level above, for messages.

        `version` is the API version that the request names, `lengths` what the endpoint says of the length of texts.
        """
        self._tree = tree
        self.version = version
        self._within = within
        self._lengths = lengths
        self._asked: set[str] = set()
        self._inner: list[Parameters] = []

    def name(self, key: str) -> str:
        """Give the full name of a parameter, such as `lines[0][amount]`."""
        return f"{self._within}[{key}]" if self._within else key

    def given(self, key: str) -> bool:
        """Tell whether the parameter was sent, be it empty."""
        self._asked.add(key)
        return self._tree.get(key) is not None

    def text(self, key: str) -> str | None:
        """Give a string; None when it was not sent, empty when it is to be cleared."""
        if not self.given(key):
            return None
        value = self._tree[key]
        if isinstance(value, dict | list):
            raise ApiError.invalid(f"Invalid string: {self.name(key)}", param=self.name(key))
        if isinstance(value, bool):
            return str(value).lower()
        text = str(value)
        if len(text) > SHORTEST:
            self._bound(text, self.name(key))
        return text

    def required(self, key: str) -> str:
        """Give a string that must be there and not be empty."""
        value = self.text(key)
        if not value:
            raise ApiError.missing_parameter(self.name(key))
        return value

    def integer(self, key: str) -> int | None:
        """Give a whole number."""
        value = self.text(key)
        if value is None or value == "":
            return None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
            raise ApiError.invalid(
                f"Invalid integer: {value[:50]}", param=self.name(key), code="parameter_invalid_integer"
            )
        return int(value)

    def decimal(self, key: str) -> Decimal | None:
        """Give a decimal with at most 12 places."""
        value = self.text(key)
        if value is None or value == "":
            return None
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or number.adjusted() > 15 or int(number.as_tuple().exponent) < -12:
            raise ApiError.invalid(f"Invalid decimal: {value[:50]}", param=self.name(key))
        return number

    def boolean(self, key: str) -> bool | None:
        """Give true or false; older releases of Stripe's own library write them as Python does, `True` and `False`."""
        value = self.text(key)
        if value is None or value == "":
            return None
        if value.lower() not in {"true", "false"}:
            raise ApiError.invalid(f"Invalid boolean: {value[:50]}", param=self.name(key))
        return value.lower() == "true"

    def choice(self, key: str, *allowed: str) -> str | None:
        """Give one of a few words."""
        value = self.text(key)
        if value is not None and value not in allowed:
            listed = ", ".join(allowed)
            raise ApiError.invalid(f"Invalid {self.name(key)}: must be one of {listed}", param=self.name(key))
        return value

    def texts(self, key: str) -> list[str] | None:
        """Give a list of strings; the empty string is the empty list."""
        if not self.given(key):
            return None
        value = self._tree[key]
        if value == "":
            return []
        if not isinstance(value, list) or any(isinstance(item, dict | list) for item in value):
            raise ApiError.invalid(f"Invalid array: {self.name(key)}", param=self.name(key))
        for place, item in enumerate(value):
            self._bound(str(item), f"{self.name(key)}[{place}]")
        return [str(item) for item in value]

    def part(self, key: str) -> Parameters | None:
        """Give the parameters of an inner object."""
        if not self.given(key) or self._tree[key] == "":
            return None
        value = self._tree[key]
        if not isinstance(value, dict):
            raise ApiError.invalid("Invalid object", param=self.name(key))
        return self._deeper(value, self.name(key))

    def parts(self, key: str) -> list[Parameters] | None:
        """Give the parameters of each object of a list; the empty string is the empty list."""
        if not self.given(key):
            return None
        value = self._tree[key]
        if value == "":
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise ApiError.invalid("Invalid array", param=self.name(key))
        return [self._deeper(item, f"{self.name(key)}[{place}]") for place, item in enumerate(value)]

    def tree(self) -> dict[str, Any]:
        """Give everything as it was sent, for an operation that passes it on; each name then counts as asked for."""
        self._asked.update(self._tree)
        return dict(self._tree)

    def names(self) -> list[str]:
        """Give the names of this level, for objects whose keys are the caller's."""
        return list(self._tree)

    def metadata(self, before: Mapping[str, str] | None = None) -> dict[str, str]:
        """Give the metadata after the request: keys are merged, an empty value removes one, `metadata=` all."""
        merged = dict(before or {})
        if not self.given("metadata"):
            return merged
        part = self.part("metadata")
        if part is None:
            return {}
        for key in part.names():
            value = part.text(key) or ""
            if len(key) > MAX_METADATA_KEY or len(value) > MAX_METADATA_VALUE:
                raise ApiError.invalid(
                    f"Metadata keys can have up to {MAX_METADATA_KEY} characters, and values up to "
                    f"{MAX_METADATA_VALUE}.",
                    param=self.name("metadata"),
                )
            if value:
                merged[key] = value
            else:
                merged.pop(key, None)
        if len(merged) > MAX_METADATA_KEYS:
            raise ApiError.invalid(f"Metadata can have up to {MAX_METADATA_KEYS} keys.", param=self.name("metadata"))
        return merged

    def accept(self, *keys: str) -> None:
        """Let parameters pass that Stripe knows and this sandbox does nothing with."""
        for key in keys:
            self._asked.add(key)

    def finish(self) -> None:
        """Refuse what nobody asked for."""
        for key in self._tree:
            if key not in self._asked:
                raise ApiError.unknown_parameter(self.name(key))
        for part in self._inner:
            part.finish()

    def _bound(self, text: str, name: str) -> None:
        most = most_of(self._lengths, name)
        if len(text) > most:
            shown = f"{text[:10]}...{text[-10:]}"
            raise ApiError.invalid(f"Invalid string: {shown}; must be at most {most} characters", param=name)

    def _deeper(self, value: Mapping[str, Any], name: str) -> Parameters:
        part = Parameters(value, within=name, version=self.version, lengths=self._lengths)
        self._inner.append(part)
        return part
