"""`concord prove` from outside: which proof the options ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from hub.errors import Refused

if TYPE_CHECKING:
    from rich.console import Console

    from hub.proof.outside import Proved


def outside(
    *,
    kills: int,
    power_cuts: int,
    invoices: int,
    timeouts: int,
    restores: int,
    seed: int,
    customers: int = 0,
    accounts: int = 0,
    real: bool = False,
    minutes: float | None = None,
    faults: Sequence[str] = (),
    mutant: str | None = None,
) -> Callable[[Console], Proved] | None:
    """Give the one proof that is asked for, or None; raises `Refused` for several at once."""
    if faults and not real:
        raise Refused("`--fault` goes with `--real`: it names what is to go wrong there.", code="fault-without-real")
    if real:
        asked = [name for name, number in _named(kills, power_cuts, invoices, restores) if number]
        asked += [name for name, number in (("--customers", customers), ("--accounts", accounts)) if number]
        if asked:
            raise Refused(f"Ask for one proof at a time: --real or {' or '.join(asked)}.", code="several-proofs")
        from hub.proof.real.campaign import prove as prove_real

        return partial(prove_real, minutes=minutes, seed=seed, faults=faults, mutant=mutant)
    if customers or accounts:
        # Kills are part of it.
        loads = [name for name, number in (("--customers", customers), ("--accounts", accounts)) if number]
        asked = [*loads, *(name for name, number in _named(0, power_cuts, invoices, restores) if number)]
        if len(asked) > 1:
            raise Refused(f"Ask for one proof at a time: {' or '.join(asked)}.", code="several-proofs")
    if accounts:
        from hub.proof.account_load import prove as prove_accounts

        return partial(prove_accounts, accounts=accounts, kills=kills, seed=seed)
    if customers:
        from hub.proof.customer_load import prove as prove_customers

        return partial(prove_customers, customers=customers, kills=kills, seed=seed)
    asked = [name for name, number in _named(kills, power_cuts, invoices, restores) if number]
    if len(asked) > 1:
        raise Refused(f"Ask for one proof at a time: {' or '.join(asked)}.", code="several-proofs")
    if kills:
        from hub.proof.kills import prove as prove_kills

        return partial(prove_kills, kills=kills, seed=seed)
    if power_cuts:
        from hub.proof.power.cuts import prove as prove_cuts

        return partial(prove_cuts, cuts=power_cuts, seed=seed)
    if invoices:
        from hub.proof.lost_answers import prove as prove_lost_answers

        return partial(prove_lost_answers, invoices=invoices, percent=timeouts, seed=seed)
    if restores:
        from hub.proof.drill import prove as prove_restores

        return partial(prove_restores, restores=restores, seed=seed)
    return None


def rehearse(old: str, *, invoices: int, seed: int, json: bool) -> int:
    """Let this version take the place of another one; gives the exit status."""
    from hub.proof.outside import run
    from hub.proof.upgrade import INVOICES, prove

    return run(partial(prove, given=old, invoices=invoices or INVOICES, seed=seed), json=json)


def _named(kills: int, power_cuts: int, invoices: int, restores: int) -> list[tuple[str, int]]:
    return [("--kills", kills), ("--power-cuts", power_cuts), ("--invoices", invoices), ("--restores", restores)]
