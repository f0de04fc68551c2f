"""A credentials file of NATS: who one is as a signed token, and the seed that proves it is ours."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.errors import Refused

_PART = re.compile(r"-{3,}BEGIN [A-Z ]+-{3,}\s+(\S+)\s+-{3,}END")
#: What the first bits of a user's seed say: that it is one (S), and whose (U).
_SEED, _USER = 18 << 3, 20 << 3


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token that says who one is, and the key to answer a server's challenge with; neither is ever shown."""

    token: str = field(repr=False)
    _key: Ed25519PrivateKey = field(repr=False)

    def sign(self, challenge: str) -> bytes:
        """Answer a challenge, in base 64."""
        return base64.b64encode(self._key.sign(challenge.encode()))


def read_credentials(path: Path) -> Credentials:
    """Read a file as `nsc` writes it; raises `Refused`, without its contents, where it is none."""
    try:
        found = _PART.findall(path.read_text(encoding="ascii"))
        token, seed = found
        return Credentials(token, Ed25519PrivateKey.from_private_bytes(_seed(seed)))
    except OSError as error:
        raise Refused(f"The credentials file {path} cannot be read: {error.strerror}.", code="nats-settings") from None
    except ValueError:
        # Also what is no base 32, and what is not ASCII.
        raise Refused(
            f"{path} is no credentials file of NATS: it has the user's token and its seed, as `nsc` writes them.",
            code="nats-settings",
        ) from None


def _seed(text: str) -> bytes:
    raw = base64.b32decode(text + "=" * (-len(text) % 8))
    kind, whose = raw[0] & 0xF8, (raw[0] & 7) << 5 | raw[1] >> 3
    if len(raw) != 36 or kind != _SEED or whose != _USER or binascii.crc_hqx(raw[:-2], 0) != raw[-2] | raw[-1] << 8:
        raise ValueError
    return raw[2:34]
