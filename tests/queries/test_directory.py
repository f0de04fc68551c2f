"""People and sessions as they are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hub.access.sessions import new_session
from hub.errors import Conflict
from tests.ui.stage import ADMIN, VIEWER, Stage, stage


async def test_people_and_sessions_outlive_the_process_and_end_with_a_new_password(tmp_path: Path) -> None:
    async with stage(tmp_path, count=0) as made:
        await _check(made)


async def _check(made: Stage) -> None:
    directory, now = made.console.directory, made.ambient.now()
    ada = await directory.person_by_email(ADMIN)
    assert ada is not None and await directory.anybody()
    _, session = new_session(ada.id, now=now, random=bytes)
    await directory.open_session(session)
    assert await directory.session(session.token_hash) == session
    await directory.see_session(session.token_hash, now + timedelta(minutes=2))
    seen = await directory.session(session.token_hash)
    assert seen is not None and seen.seen_at == now + timedelta(minutes=2)

    await directory.change_person(replace(ada, password="$argon2id$other"), actor="local")

    assert await directory.session(session.token_hash) is None
    with pytest.raises(Conflict):
        await directory.add_person(replace(ada, id=type(ada.id)("person_2")), actor="local")
    vic = await directory.person_by_email(VIEWER)
    assert vic is not None
    with pytest.raises(Conflict):
        await directory.add_person(vic, actor="local", only_first=True)
