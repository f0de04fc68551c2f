"""Orders on writes: a person settles what nobody could find out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.connections.accounts import Account
from hub.errors import FixData, NotFound
from hub.model.ambient import Ambient
from hub.operate.holds import said
from hub.sdk.connector import WriteOperation, named_schema
from hub.store import effects, settlements
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.settlements import Settled, Settlement, Verdict
from hub.workspace.bundle import Bundle
from hub.workspace.files.schemas import compile_schema


class EffectOrders:
    """Carries out orders on the writes of one environment; `actor` is who gave it."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        database: Database,
        committer: Committer,
        accounts: Mapping[str, Account],
        bundle: Callable[[], Bundle],
    ) -> None:
        """Take the collaborators."""
        self._environment = environment
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._accounts = accounts
        self._bundle = bundle

    async def settle(
        self, key: str, *, done: bool, evidence: str, output: Mapping[str, Any] | None, actor: str
    ) -> Settled:
        """Record that a write was made, with what it gave (mostly the target's `id`), or that it surely was not.

        Its run goes on from there: a write that was made counts as done, one that was not is made. Raises `FixData`
        without evidence, or where the output is not what the operation would have given.
        """
        evidence = said(evidence)
        if done:
            self._assert_output(key, output)
        elif output is not None:
            raise FixData("What was not made has given nothing.", code="output-of-nothing")
        settlement = Settlement(
            verdict=Verdict.DONE if done else Verdict.NOT_APPLIED, output=output, evidence=evidence, actor=actor
        )
        new_id = self._ambient.new_id("run")
        settled: Settled = await self._committer.commit(
            Work(lambda tx: settlements.settle(tx, key, settlement, environment=self._environment, new_id=new_id))
        )
        return settled

    def _assert_output(self, key: str, output: Mapping[str, Any] | None) -> None:
        if output is None:
            raise FixData("Say what the write gave, at least the id it has at the target.", code="no-output")
        with self._database.reading() as connection:
            row = effects.effect(connection, key)
        if row is None or row["environment"] != self._environment:
            raise NotFound("There is no such write.", effect=key)
        account = self._accounts.get(row["connection"])
        operation = account.connector.operation(row["operation"]) if account is not None else None
        if not isinstance(operation, WriteOperation):
            return
        named = named_schema(operation.output)
        if named is not None:
            problems = self._bundle().validate(named, output)
        else:
            problems = compile_schema(f"{operation.name}.output", dict(operation.output), "").problems(output)
        if problems:
            raise FixData(
                f"That is not what `{operation.name}` gives: {'; '.join(problems)}", code="output-wrong", effect=key
            )
