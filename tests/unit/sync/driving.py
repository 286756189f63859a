"""What the engine does with a world, and what a random server does meanwhile."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import strategies as st

from postroom.sync.catching_up import catch_up
from postroom.sync.importing import import_slice, plan_import
from postroom.sync.state import Saved
from postroom.sync.sweeping import sweep
from tests.unit.sync.world import SINCE, Crash, Mail, World

# Few letters, ids and sizes: so that ids collide, contents too, and both at once.
MAIL = st.builds(
    Mail,
    st.sampled_from("abcdefgh"),
    name=st.sampled_from(["", "", "", "same", "-"]),
    size=st.sampled_from([100, 100, 200]),
    sender=st.sampled_from(["anna@customer.example", "friend@home.example"]),
)
MAILS = st.lists(MAIL, max_size=12)
CHANGES = st.lists(st.tuples(st.sampled_from(["deliver", "expunge", "flag", "renumber", "reuse"]), MAIL), max_size=6)
KEEPS = st.sampled_from(["everything", "records"])


def apply(world: World, changes: list[tuple[str, Mail]]) -> None:
    remote = world.remote
    for kind, mail in changes:
        if kind == "deliver":
            remote.deliver(mail)
        elif kind == "expunge":
            remote.expunge(mail.text)
        elif kind == "flag":
            remote.flag(mail.text, "\\Seen")
        else:
            remote.renumber(keeps_validity=kind == "reuse", reverses=True)


def with_mail(*mails: Mail | str, keep: str = "everything") -> World:
    world = World(keep=keep)
    world.remote.deliver(*mails)
    return world


def catch_up_once(world: World, **fault: int | None) -> Saved:
    steps = catch_up(world.folder, world.mailbox_id, world.epoch, SINCE, world.manner)
    return world.run(steps, **fault)  # type: ignore[no-any-return, arg-type]


def sweep_once(world: World, **fault: int | None) -> Saved:
    steps = sweep(world.folder, world.mailbox_id, world.epoch, SINCE, world.manner)
    return world.run(steps, **fault)  # type: ignore[no-any-return, arg-type]


def sweep_at_night(world: World, **fault: int | None) -> Saved:
    steps = sweep(world.folder, world.mailbox_id, world.epoch, SINCE, world.manner, is_nightly=True)
    return world.run(steps, **fault)  # type: ignore[no-any-return, arg-type]


def import_all(world: World) -> None:
    for piece in world.open_slices():
        world.run(import_slice(piece, world.manner))


def settle(world: World) -> None:
    """What the engine does after a restart: plan if there is no plan, catch up, import what is open."""
    if not world.folder.cursor:
        world.run(plan_import(SINCE))
    catch_up_once(world)
    import_all(world)


def crash_through(world: World, changes: list[tuple[str, Mail]], crashes: tuple[int, ...]) -> None:
    """Let the engine work and die at these asks, one life after the other, while the mailbox changes."""
    pending = list(changes)

    def change(count: int) -> None:
        if pending and count % 2:
            apply(world, [pending.pop()])

    for crash_at in crashes:
        with suppress(Crash):
            if not world.folder.cursor:
                world.run(plan_import(SINCE), crash_at=crash_at, change=change)
            catch_up_once(world, crash_at=crash_at)
            for piece in world.open_slices():
                steps = import_slice(piece, world.manner)
                world.run(steps, crash_at=crash_at, change=change)
            sweep_once(world, crash_at=crash_at)
    apply(world, pending)


def kept_truth(world: World) -> set[tuple[str, object]]:
    """What the store should believe: everything, or only the mail of customers."""
    return {
        (f"{world.remote.validity}.{uid}", copy.mail.identity)
        for uid, copy in world.remote.copies.items()
        if world.keep == "everything" or copy.mail.sender == "anna@customer.example"
    }
