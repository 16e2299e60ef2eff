"""What a role asks the world to do: the five verbs of every answer.

Order is the contract: the executor carries a list out from left to right, stops at the
first state the kernel refuses and calls `failed(state, now)` of the role.  Installs
stand before the acknowledgement that promises them, so a false "accepted" never leaves.
"""

from collections.abc import Iterable, Sequence

from mip6.wire.record import record

from .events import Event
from .packet import Packet
from .state import State


@record
class Send:
    """Put a packet on the wire, by `packet.link` where it names one."""

    packet: Packet


@record
class Install:
    """Make the kernel hold this state, in place of what stood under its key."""

    state: State


@record
class Remove:
    state: State


@record
class Notify:
    """Tell people and programs; changes nothing."""

    event: Event


@record
class Forward:
    """Send these octets, a whole packet of an application, as the machine routes it.

    It was handed to the role because no tunnel stood for it, and waited (decision
    0005); it goes the way it would have gone, so now into the tunnel.

    link: to a group, the link that it goes out by.
    """

    octets: bytes
    link: str | None = None


Effect = Send | Install | Remove | Notify | Forward


def difference(before: Sequence[State], after: Sequence[State]) -> list[Effect]:
    """The effects that lead from one list of states to the other.

    Removes come first, last installed first; a state whose key stays is replaced by one
    `Install`, and only if its value changed.
    """
    if not before:
        return [Install(state) for state in after]
    if len(before) == len(after) == 1 and before[0].key == after[0].key:
        return [] if before[0] == after[0] else [Install(after[0])]
    keys = {state.key for state in after}
    gone: Iterable[State] = (s for s in reversed(before) if s.key not in keys)
    # One binding has few states: comparing them is cheaper than hashing them.
    standing = before if len(before) < 4 else set(before)
    return [
        *(Remove(state) for state in gone),
        *(Install(state) for state in after if state not in standing),
    ]
