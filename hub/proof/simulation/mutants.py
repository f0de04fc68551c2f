"""The mutants of the simulation: each breaks one rule, and one invariant must see it within some seeds."""

from __future__ import annotations

from collections.abc import Mapping

from hub.connections.budgets import Budgets
from hub.engine import bulk, children, compensation, outcomes, verdicts
from hub.engine.approvals import Approvals
from hub.engine.children import Children
from hub.engine.compensation import Compensation
from hub.engine.earlier import Earlier
from hub.engine.effects import Effects
from hub.engine.journal import Journal
from hub.engine.loops import Loop
from hub.errors import Refused
from hub.intake.positions import Position
from hub.intake.schedules import Schedules
from hub.intake.streams import Streams
from hub.proof.invariants import Invariant
from hub.proof.mutations import MUTATIONS
from hub.proof.simulation import broken_edges as edges
from hub.proof.simulation import broken_engine as engine
from hub.proof.simulation import broken_things as alike
from hub.proof.simulation import trial
from hub.proof.simulation.breaking import Mutant, Swap
from hub.proof.simulation.connector import CONNECTOR
from hub.store import approvals, crossrefs, history, matches, replays, resuming, things

MUTANTS: tuple[Mutant, ...] = (
    # What breaks the demo's hub breaks the simulation's too.
    *(Mutant(name=each.name, does=each.does, breaks=each.breaks, composition=each.composition) for each in MUTATIONS),
    Mutant(
        name="no_fence",
        does="lets a worker that has lost a run go on recording it",
        breaks=Invariant.FENCED,
        swaps=[Swap(owner=history, name="_Fence", by=engine.Unfenced)],
    ),
    Mutant(
        name="holds_ignored",
        does="looks at no hold when it opens an intent",
        breaks=Invariant.HELD_STANDS_STILL,
        swaps=[Swap(owner=history, name="_Fence", by=engine.Unheld)],
    ),
    Mutant(
        name="approved_for_ever",
        does="looks at approvals when they are given, and not before the write",
        breaks=Invariant.APPROVED_BEFORE,
        swaps=[
            Swap(owner=history, name="_Fence", by=engine.Unlapsed),
            Swap(owner=Approvals, name="standing", by=engine.once_agreed),
        ],
    ),
    Mutant(
        name="gone_past",
        does="goes on past what people refused, where the flow says so of the step around it",
        breaks=Invariant.APPROVED_BEFORE,
        swaps=[Swap(owner=verdicts, name="not_past", by=engine.past_anything)],
    ),
    Mutant(
        name="two_eyes",
        does="lets people agree to what they began",
        breaks=Invariant.APPROVED_BEFORE,
        swaps=[Swap(owner=approvals, name="ask", by=engine.ask_anybody)],
    ),
    Mutant(
        name="undone_forward",
        does="takes back what it did first, first",
        breaks=Invariant.TAKEN_BACK,
        swaps=[Swap(owner=compensation, name="_in_order", by=engine.forward)],
    ),
    Mutant(
        name="undone_in_part",
        does="forgets one write when it takes a run back",
        breaks=Invariant.TAKEN_BACK,
        swaps=[Swap(owner=resuming, name="done_effects", by=engine.without_the_first)],
    ),
    Mutant(
        name="settled_at_once",
        does="takes a write that a look does not find for not done, however late it may come",
        breaks=Invariant.NOTHING_TWICE,
        swaps=[Swap(owner=Effects, name="_assert_settled", by=engine.settled_at_once)],
    ),
    Mutant(
        name="refused_is_not_done",
        does="takes the refusal of a repeat for word that the first sending did nothing either",
        breaks=Invariant.NOTHING_TWICE,
        swaps=[Swap(owner=outcomes, name="state_after", by=engine.refused_is_not_done)],
    ),
    Mutant(
        name="sent_late",
        does="sends a write whenever it comes to it, however long ago it said so",
        breaks=Invariant.NOTHING_TWICE,
        swaps=[Swap(owner=outcomes, name="leaves_in_time", by=engine.whenever)],
    ),
    Mutant(
        name="ended_in_doubt",
        does="ends a run although nobody knows of a write whether it happened",
        breaks=Invariant.ONE_STATE,
        swaps=[Swap(owner=Compensation, name="find_out", by=engine.nothing_to_find_out)],
    ),
    Mutant(
        name="replay_with_new_keys",
        does="makes a run again under other keys",
        breaks=Invariant.NOTHING_TWICE,
        swaps=[Swap(owner=replays, name="replay", by=engine.replay_with_new_keys)],
    ),
    Mutant(
        name="other_content_swallowed",
        does="takes what was written for another event for its own, whatever that says",
        breaks=Invariant.EXCEPTIONS_EXPLAINED,
        swaps=[Swap(owner=Earlier, name="is_other", by=engine.never_another)],
    ),
    Mutant(
        name="items_doubled",
        does="names the items of a loop anew when it goes on with them",
        breaks=Invariant.NOTHING_TWICE,
        swaps=[Swap(owner=Loop, name="_window", by=engine.items_anew)],
    ),
    Mutant(
        name="items_lost",
        does="takes an item of a loop that had begun for done",
        breaks=Invariant.NOTHING_LOST,
        swaps=[Swap(owner=Loop, name="_window", by=engine.begun_is_done)],
    ),
    Mutant(
        name="called_twice",
        does="starts a flow that it calls before it is known who called it",
        breaks=Invariant.ONE_RUN_PER_EVENT,
        swaps=[
            Swap(owner=children, name="Accept", by=engine.orphans),
            Swap(owner=Children, name="_name", by=engine.name_for_now),
            Swap(owner=Children, name="_begin", by=engine.tied_afterwards),
        ],
        crashed="invoices-agree",
    ),
    Mutant(
        name="fired_twice",
        does="lets a schedule fire before it is durable that it has",
        breaks=Invariant.FIRES_ONCE,
        swaps=[Swap(owner=Schedules, name="_serve", by=edges.fired_first)],
        crashed="invoices-agree",
    ),
    Mutant(
        name="cursor_first",
        does="moves on in a stream before what it gave is durable, and reads nothing of it twice",
        breaks=Invariant.NOTHING_LOST,
        swaps=[
            Swap(owner=Streams, name="take", by=edges.taken_later),
            Swap(owner=Streams, name="_keep", by=edges.moved_first),
            Swap(owner=Position, name="begun", by=edges.without_overlap),
        ],
        crashed="invoice-to-erp by stream",
    ),
    Mutant(
        name="bulk_by_position",
        does="takes the rows of an answer in the order of what was sent",
        breaks=Invariant.RECORDED_IS_TRUE,
        swaps=[Swap(owner=bulk, name="told_apart", by=engine.by_place)],
    ),
    Mutant(
        name="guard_off",
        does="overwrites what is newer at the target",
        breaks=Invariant.BOOKS_AGREE,
        swaps=[Swap(owner=trial, name="CONNECTOR", by=edges.unguarded(CONNECTOR))],
    ),
    Mutant(
        name="limits_of_their_own",
        does="keeps an account's limit for each way to it by itself",
        breaks=Invariant.WITHIN_LIMITS,
        swaps=[Swap(owner=Budgets, name="limiter", by=edges.of_its_own)],
    ),
    Mutant(
        name="never_let_go",
        does="forgets the runs that stand behind one of their key",
        breaks=Invariant.QUEUE_DRAINED,
        swaps=[Swap(owner=history, name="let_next_go", by=engine.nobody_is_let_go)],
    ),
    Mutant(
        name="compared_before",
        does="looks for others with the same keys before it writes its own down",
        breaks=Invariant.NOTHING_TWICE,
        swaps=[Swap(owner=Journal, name="match", by=alike.compared_before)],
        alike=True,
    ),
    Mutant(
        name="alias_not_resolved",
        does="finds a thing by the primary ids of its systems alone",
        breaks=Invariant.NOTHING_TWICE,
        swaps=[Swap(owner=crossrefs, name="_FIND", by=alike.BY_PRIMARY_IDS)],
        alike=True,
    ),
    Mutant(
        name="merge_loses_a_tie",
        does="forgets one id of what it merges",
        breaks=Invariant.BOOKS_AGREE,
        swaps=[Swap(owner=things, name="move_ids", by=alike.without_the_last)],
        alike=True,
    ),
    Mutant(
        name="merge_half_told",
        does="writes down of a merge only what came first",
        breaks=Invariant.RECORDED_IS_TRUE,
        swaps=[Swap(owner=things, name="keep", by=alike.words_forgotten)],
        alike=True,
    ),
    Mutant(
        name="asks_nobody",
        does="takes whoever agrees in any key for the same",
        breaks=Invariant.RECORDED_IS_TRUE,
        swaps=[Swap(owner=matches, name="compare", by=alike.said_of_things)],
        alike=True,
    ),
)
BY_NAME: Mapping[str, Mutant] = {mutant.name: mutant for mutant in MUTANTS}


def named(name: str | None) -> Mutant | None:
    """Give a mutant by its name, None for the hub as it ships; raises `Refused` for a name that none has."""
    if name is None or name in BY_NAME:
        return None if name is None else BY_NAME[name]
    raise Refused(f"There is no mutant `{name}`; there are {', '.join(BY_NAME)}.", code="no-such-mutant")
