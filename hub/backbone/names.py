"""What things are called in NATS: the stream of a feed, the subjects in it, and those of wake-ups."""

from __future__ import annotations

import hashlib
import re

#: What is about one key is in one of so many partitions. The number is for good: it decides where a key is.
PARTITIONS = 16
_ODD = re.compile(r"[^A-Za-z0-9_-]")
#: A subject is a line of NATS's protocol, and types are the vendors' words.
_LONGEST = 200


def stream_of(environment: str) -> str:
    """Name the stream that holds an environment's feed."""
    return f"concord-{environment}"


def all_of(environment: str) -> str:
    """Give the subjects of a whole feed."""
    return f"concord.{environment}.feed.>"


def partition_of(key: str) -> int:
    """Say in which partition a key is: the first four bytes of its SHA-256, as a number, by the number of them."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:4], "big") % PARTITIONS


def subject_of(environment: str, key: str, type: str) -> str:
    """Give the subject of one message: `concord.<environment>.feed.<partition>.<type>`."""
    return f"concord.{environment}.feed.{partition_of(key)}.{tokens(type)}"


def tokens(type: str) -> str:
    """Give a type as part of a subject: letters, digits, `_` and `-` stay, other characters become `=` and two digits.

    Its points part it, so that consumers can ask for `stripe.invoice.>`.
    """
    parts = (_ODD.sub(lambda odd: _escaped(odd[0]), part) or "=" for part in type[:_LONGEST].split("."))
    return ".".join(parts)


def _escaped(character: str) -> str:
    return "".join(f"={byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def wanted(environment: str, *, key: str | None = None, type: str | None = None) -> str:
    """Give the subjects of a part of a feed; a `type` may end in `.*` or be `*`, for all that begin so."""
    partition = "*" if key is None else str(partition_of(key))
    if type is None or type == "*":
        ending = ">"
    elif type.endswith(".*"):
        ending = f"{tokens(type[:-2])}.>"
    else:
        ending = tokens(type)
    return f"concord.{environment}.feed.{partition}.{ending}"


def bell_of(environment: str, what: str) -> str:
    """Give the subject of a wake-up; such a message has no content and no stream keeps it."""
    return f"concord.{environment}.wake.{what}"
