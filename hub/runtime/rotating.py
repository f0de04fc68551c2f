"""Changing the vault key while the hub serves: a new key is made, and every secret's own key is wrapped with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.connections.keys import (
    KEY_BYTES,
    KEY_VARIABLE,
    PREVIOUS_VARIABLE,
    VaultKey,
    change_key,
    key_path,
    present_key,
    write_key,
)
from hub.connections.signing_key import signing_key
from hub.connections.vault import pack, rewrap, unpack
from hub.errors import Refused
from hub.runtime.settings import HubSettings
from hub.store import secrets
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What was done: the key that all is sealed with now, where it comes from, and how many versions were sealed anew.

    `forgot` says that earlier keys were taken out of the key file.
    """

    key: str
    source: str
    sealed: int
    forgot: bool = False


class Rotating:
    """Changes the vault key of one hub.

    The order makes it safe to stop anywhere: the new key is in the file, beside the old one, before anything is sealed
    with it; all secrets are sealed anew in one transaction; and the old key stays until a person has it taken out.
    """

    def __init__(
        self,
        *,
        settings: HubSettings,
        database: Database,
        committer: Committer,
        key: Callable[[], VaultKey],
        use: Callable[[VaultKey], None],
        random: Callable[[int], bytes],
    ) -> None:
        """Take the collaborators: `key()` is the one in use, and `use` lets everything use another from then on."""
        self._settings = settings
        self._database = database
        self._committer = committer
        self._key = key
        self._use = use
        self._random = random
        self._one = asyncio.Lock()

    async def rotate(self, *, forget: bool, actor: str) -> Rotation:
        """Change the key, or bring an earlier change to its end; with `forget`, take earlier keys out instead.

        Raises `Refused` where there is nothing to change to, or where secrets still need what is to be forgotten, and
        `FixConnection` for a secret that none of the keys opens; it names the secret, and nothing is changed then.
        """
        async with self._one:
            present = await asyncio.to_thread(self._present)
            if forget:
                return await asyncio.to_thread(self._forget, present)
            with self._database.reading() as connection:
                rows = secrets.all_sealed(connection)
            unfinished = any(unpack(row["sealed"]).key_id != present.id for row in rows)
            if not unfinished:
                if present.source == KEY_VARIABLE:
                    raise Refused(
                        f"All secrets are sealed with {KEY_VARIABLE} already. Put a new key there and the present one "
                        f"into {PREVIOUS_VARIABLE}, start the hub with both, and give this order again.",
                        code="no-new-key",
                    )
                present = await asyncio.to_thread(change_key, self._path(), present, self._random(KEY_BYTES))
            self._use(present)
            sealed = await self._committer.commit(Work(lambda tx: self._seal_all(tx, present, actor)))
            return Rotation(key=present.id, source=present.source, sealed=sealed)

    def _seal_all(self, transaction: Transaction, key: VaultKey, actor: str) -> int:
        # Read in the transaction: what was sealed meanwhile is sealed with the new key already.
        changed: list[Mapping[str, Any]] = []
        for row in secrets.all_sealed(transaction.connection):
            sealed = unpack(row["sealed"])
            if sealed.key_id != key.id:
                changed.append({**row, "sealed": pack(rewrap(sealed, key=key, random=self._random))})
        secrets.replace_sealed(transaction, changed)
        secrets.note_rotation(transaction, key_id=key.id, secrets_sealed=len(changed), actor=actor)
        return len(changed)

    def _forget(self, present: VaultKey) -> Rotation:
        if present.source == KEY_VARIABLE:
            raise Refused(f"Earlier keys are in {PREVIOUS_VARIABLE}; take them out there.", code="keys-in-environment")
        with self._database.reading() as connection:
            needed = {unpack(row["sealed"]).key_id for row in secrets.all_sealed(connection)} - {present.id}
        if needed:
            raise Refused(
                "Some secrets are still sealed with an earlier key; give `concord vault rotate-key` first.",
                code="key-needed",
                keys=", ".join(sorted(needed)),
            )
        signed = (*(signing_key(old).public for old in present.previous), *present.signed)
        alone = replace(present, previous=(), signed=tuple(dict.fromkeys(signed)))
        write_key(self._path(), alone)
        self._use(alone)
        return Rotation(key=alone.id, source=alone.source, sealed=0, forgot=True)

    def _present(self) -> VaultKey:
        """Read the key anew: the file may have been changed by a process that broke off."""
        settings = self._settings
        found = present_key(settings.environ, settings.data.resolve().name, settings.key_file)
        if found is None or found.find(self._key().id) is None:
            raise Refused(
                "The key file is gone, or holds another key than the one in use. Put it back from your copy first.",
                code="other-vault-key",
                key_file=str(self._path()),
                in_use=self._key().id,
            )
        return found

    def _path(self) -> Path:
        settings = self._settings
        return key_path(settings.environ, settings.data.resolve().name, settings.key_file)
