"""What is done in each scenario, as a person would tell it."""

import time
from collections.abc import Mapping
from itertools import cycle, islice

from .home_agents import HomeAgentsSession
from .measure import PACED_RATE
from .movement import MovementSession
from .optimized import OptimizedSession
from .renumbering import RenumberingSession
from .resolvers import Resolvers
from .session import Session

CN: Mapping[str, str | None] = {"cn": None}
"""The correspondent runs `mip6` too."""
OPTIMIZED_S = 2.0
HURRIED_S = 0.5
"""Between many moves that only their figures are wanted of; no more than two Binding
Updates a second."""
PROBED_S = 1.0
"""The same where routers are probed, which may be once a second (RFC 6059 §5.2)."""
QUICK_PING_MS = 20.0
"""So that the moment in which packets still go by the home agent has one."""
BULK_RATE = 40_000_000
"""Octets a second: more than any access link, and still leaves the daemons a core."""


def handover(session: Session) -> None:
    _roam(session)


def tcp_handover(session: Session) -> None:
    _roam(session, tcp_rate=BULK_RATE)


def _roam(session: Session, *, tcp_rate: int = PACED_RATE) -> None:
    """home → B → C → B → home; with `--moves` B ↔ C that many times."""
    if session.options.moves is None:
        session.start("home", tcp_rate=tcp_rate)
        links = ["b", "c", "b", "home"]
    else:
        session.start("b", tcp_rate=tcp_rate)
        links = list(islice(cycle("cb"), session.options.moves))
    for link in links:
        session.move(link)


def virtual_home_link(session: Session) -> None:
    session.start("b")
    for link in islice(cycle("cb"), session.options.moves or 2):
        session.move(link)


def return_home(session: Session) -> None:
    session.start("home")
    for link in islice(cycle(("b", "home")), session.options.moves or 2):
        session.move(link)


def daemon_killed(session: Session) -> None:
    session.start("home")
    session.move("b")
    session.kill_daemon("mn", "b")
    session.kill_daemon("ha", "b")
    session.move("c")


def roaming_two_handovers(session: Session) -> None:
    session.start("home")
    session.move("b", stay=0.5)
    session.move("c")


def home_agent_restart(session: Session) -> None:
    """Its bindings are on disk and outlast the process (decision 0016)."""
    session.start("home")
    session.move("b")
    session.restart_daemon("ha", "b")
    session.move("c")


def home_agent_loses_state(session: HomeAgentsSession) -> None:
    """Neither disk nor maps: it answers 135 or 133, or sends a Binding Error."""
    session.start("home")
    session.move("b")
    session.lose_state("b")
    session.move("c")


def mobile_node_restart(session: Session) -> None:
    session.start("home")
    session.move("b")
    session.restart_daemon("mn", "b")
    session.move("c")


def movement_detection(session: MovementSession) -> None:
    """§11.5.1: neither advertisements that stay away nor a second router are a move;
    a router that does not answer is one, though the link never went down."""
    session.start("home")
    session.move("b")
    # Two, seven and fourteen of the longest intervals.
    with session.undeceived("lost advertisements"):
        session.withhold("b", 0.15, 0.5, 1.0)
    with session.undeceived("two routers"):
        session.join("b", "c")
        session.withhold("b", 0.15, 0.5)
        session.withhold("c", 0.15, 0.5)
    session.lose_router("b", "c")


def binding_refresh(session: OptimizedSession) -> None:
    session.start("home", also=CN, ping_ms=QUICK_PING_MS)
    session.move("b")
    session.direct("cn")
    session.refreshed("cn", 2 * session.lab.settings["lifetime"])


def route_optimization(session: OptimizedSession) -> None:
    """home → B → C; with `--moves` B ↔ C that many times."""
    moves = session.options.moves
    session.start("home" if moves is None else "b", also=CN, ping_ms=QUICK_PING_MS)
    if moves is not None:
        session.direct("cn")
    for link in "bc" if moves is None else islice(cycle("cb"), moves):
        session.move(link)
        session.direct("cn")
        if moves is None:
            session.count(OPTIMIZED_S)


def two_correspondents(session: OptimizedSession) -> None:
    both = ("cn", "cn2")
    session.start("home", also=dict.fromkeys(both), peers=both, ping_ms=QUICK_PING_MS)
    for link in "bc":
        session.move(link)
        session.direct(*both)
        session.count(OPTIMIZED_S)


def return_home_optimized(session: OptimizedSession) -> None:
    session.start("home", also=CN, ping_ms=QUICK_PING_MS)
    session.move("b")
    session.direct("cn")
    session.move("home")
    session.forgotten("cn")
    time.sleep(1.0)


def early(session: OptimizedSession) -> None:
    """The tests of link B are under way, unanswered, when it is on C already."""
    session.start("home", also=CN, ping_ms=QUICK_PING_MS)
    session.lab.cut_off("cn")
    session.move("b", stay=0.7)
    session.lab.cut_off("cn", cut=False)
    session.move("c")
    session.direct("cn")
    session.count(OPTIMIZED_S)
    session.never_on("cn", "b")


def two_mobile_nodes(session: OptimizedSession) -> None:
    """Each is the other's correspondent, and both move at the same moment."""
    session.start("b", also={"mn2": "c"}, peers=("mn2",), ping_ms=QUICK_PING_MS)
    links = islice(cycle(({"mn": "c", "mn2": "b"}, {"mn": "b", "mn2": "c"})), 2)
    for where in (None, *links):
        if where is not None:
            session.move_together(where)
        session.direct("mn2")
        session.direct("mn", role="mn2")
        session.count(OPTIMIZED_S)


def correspondent_restart(session: OptimizedSession) -> None:
    session.start("home", also=CN, ping_ms=QUICK_PING_MS)
    session.move("b")
    session.direct("cn")
    session.kill_correspondent("cn")
    session.direct("cn")
    session.reboot_correspondent("cn")
    session.direct("cn")
    session.count(OPTIMIZED_S)


def without_mip6(session: OptimizedSession) -> None:
    """All other scenarios without a daemon at the correspondent say the same by the
    way; here is looked at why."""
    session.start("home")
    session.move("b")
    session.indirect("cn", "not_understood")
    session.move("c")
    session.indirect("cn", "not_understood")


def two_interfaces(session: MovementSession) -> None:
    """Whichever link goes or comes: with both working no packet is lost."""
    session.start("home")
    session.move("b")
    with session.undeceived("a second interface"):
        session.plug("eth1", "c")
        time.sleep(1.0)
    hurried = None if session.options.moves is None else HURRIED_S
    for interface in islice(cycle(("eth1", "eth0")), session.options.moves or 4):
        session.switch(interface, stay=hurried)
    if session.lab.link_of("mn.eth1") == session.where:
        session.switch("eth0")
    session.unplug("eth0", "c")
    session.better("eth0", "b")


def broken_network(session: MovementSession) -> None:
    """Link b is up, and its router knows no way to the home agent."""
    session.start("home")
    session.move("b")
    session.plug("eth1", "c")
    session.unplug("eth0", "c")
    session.broken("eth0", "b", "c")


def link_flap(session: MovementSession) -> None:
    session.start("home")
    session.move("b")
    session.flap("b", 0.2, 0.05, 0.01, 0.3, 0.02, 0.1)


def moves_faster(session: MovementSession) -> None:
    session.start("home")
    session.move("b")
    session.rush(*islice(cycle("cb"), session.options.moves or 20), stay=0.02)


def never_seen(session: MovementSession) -> None:
    """B ↔ C, each time with a router that nobody knows: the mobile node must wait for
    its advertisement."""
    session.start("b")
    links = list(islice(cycle("cb"), session.options.moves or 2))
    for number, link in enumerate(links, 1):
        session.renew(link)
        session.move(link, stay=None if number == len(links) else HURRIED_S)


def visited_again(session: MovementSession) -> None:
    """With `--moves` B ↔ C that many times, without a look at each."""
    session.start("b")
    session.move("c")
    if session.options.moves is not None:
        links = list(islice(cycle("bc"), session.options.moves))
        for link in links[:-1]:
            session.back(link, stay=PROBED_S)
        session.back(links[-1])
        return
    session.back("b")
    session.back("c")
    session.move("home")
    session.back("b")
    session.back("home")


def home_agent_discovery(session: HomeAgentsSession) -> None:
    """The mobile node has a home address and a key; the rest it asks for (§11.4.1)."""
    session.lab.start_daemons("ha", "ha2")
    session.hears_of("ha", "ha2")
    session.start("b")
    session.found("ha", "ha2")
    session.move("c")


def home_agent_dies(session: HomeAgentsSession) -> None:
    """The one that serves is gone without a word; silence alone tells of it."""
    session.lab.home_agent = "ha2"
    session.start("b", also={"ha2": None})
    session.lose_home_agent("ha2", "ha", "b")
    session.move("c")


def renumbering(session: RenumberingSession) -> None:
    """Mobile Prefix Discovery (§10.6, §11.4.2) and two home addresses at a time."""
    session.start("home")
    session.move("b")
    session.new_prefix("b")
    session.move_both("c")
    session.old_prefix_ends("c")


def suspend_resume(session: MovementSession) -> None:
    session.start("home")
    session.move("b")
    session.sleep("c", 3.0)


def visited_resolver(session: Session) -> None:
    """Decision 0035.  Link B's is asked all the time, also with the cable in nobody's
    socket; when the mobile node is on C, somebody may not have heard of C's yet."""
    session.start("home")
    resolvers = Resolvers(session)
    session.move("b")
    resolvers.ask("b", "b")
    with resolvers.asking("b"):
        session.move("c")
        resolvers.ask("c", "c", "b")
    session.move("home")
    resolvers.saw()
