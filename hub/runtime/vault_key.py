"""The vault key that a hub begins with, and what signs with it."""

from __future__ import annotations

import secrets as entropy

from hub.connections.keys import VaultKey, key_path, load_key, present_key
from hub.connections.signing_key import signing_key
from hub.connections.vault import unpack
from hub.errors import HubError, Refused
from hub.model.ambient import Ambient
from hub.operate.sealing import Sealer
from hub.runtime.roles import Role
from hub.runtime.settings import HubSettings
from hub.store import secrets
from hub.store.database import Database


def the_key(settings: HubSettings, database: Database) -> VaultKey:
    """Load the vault key; a new one is made only where no secret needs an earlier one.

    A process without the api makes none: it opens what others have sealed.
    """
    name = settings.data.resolve().name
    try:
        if present_key(settings.environ, name, settings.key_file) is None:
            with database.reading() as connection:
                needed = sorted({unpack(row["sealed"]).key_id for row in secrets.all_sealed(connection)})
            if needed or Role.API not in settings.roles:
                where = key_path(settings.environ, name, settings.key_file)
                raise Refused(
                    f"The vault key is not at {where}, and secrets are sealed with it. Put it back from your copy "
                    "(mode 0600), or name its file with --key-file. Where it is lost for good, make another with "
                    f"`(umask 077; openssl rand -base64 32 > {where})`, and store all secrets again.",
                    code="vault-key-gone",
                    keys=", ".join(needed) or "none yet",
                )
        return load_key(
            environment=settings.environ,
            hub_id=name,
            data_directory=settings.data,
            random=entropy.token_bytes,
            key_file=settings.key_file,
        )
    except HubError:
        database.close()
        raise


def sealer_with(database: Database, ambient: Ambient, key: VaultKey) -> Sealer:
    """Give what signs the heads of the audit log with a vault key."""
    signing = signing_key(key)
    return Sealer(database=database, ambient=ambient, key_id=signing.id, signer=signing.sign)
