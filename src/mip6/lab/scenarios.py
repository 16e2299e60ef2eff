"""The scenarios, each as a person would tell it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import cycle, islice

from mip6.wire.record import record

from .configuration import LIFETIME_S
from .home_agents import HomeAgentsSession
from .lab import Lab
from .measure import PACED_RATE
from .namespaces import LabError
from .optimized import OptimizedSession
from .renumbering import RenumberingSession
from .report import Check, Options, Report
from .resolvers import Resolvers
from .session import Session
from .topology import PREFIXES

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


@record
class Scenario:
    summary: str
    play: Callable[[OptimizedSession], None]
    virtual: bool = False
    """Without a home link."""
    lifetime: int = LIFETIME_S
    """Seconds that the mobile node registers for."""
    interfaces: int = 1
    """Of the mobile node."""
    extra: tuple[str, ...] = ()
    """Who is there beside those who always are."""
    home_agents: tuple[str, ...] = ("ha",)
    """What the mobile node is told: roles, or "discover"."""
    resolvers: bool = False
    """Visited links have name servers, and tell of them."""
    prefixes: tuple[str, ...] = ()
    """What the home agent's file says of the home link's prefixes at first."""
    optimized: bool = False
    """It is about route optimization."""

    @property
    def needs(self) -> str | None:
        """What it is about, where the MN-HA option leaves no room for that (RFC 4285
        §2)."""
        if self.optimized:
            return "route optimization"
        return "prefix discovery" if self.prefixes else None


def _handover(session: Session) -> None:
    _roam(session)


def _tcp_handover(session: Session) -> None:
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


def _virtual_home_link(session: Session) -> None:
    session.start("b")
    for link in islice(cycle("cb"), session.options.moves or 2):
        session.move(link)


def _return_home(session: Session) -> None:
    session.start("home")
    for link in islice(cycle(("b", "home")), session.options.moves or 2):
        session.move(link)


def _daemon_killed(session: Session) -> None:
    session.start("home")
    session.move("b")
    session.kill_daemon("mn", "b")
    session.kill_daemon("ha", "b")
    session.move("c")


def _roaming_two_handovers(session: Session) -> None:
    session.start("home")
    session.move("b", stay=0.5)
    session.move("c")


def _home_agent_restart(session: Session) -> None:
    """Its bindings are on disk and outlast the process (decision 0016)."""
    session.start("home")
    session.move("b")
    session.restart_daemon("ha", "b")
    session.move("c")


def _home_agent_loses_state(session: HomeAgentsSession) -> None:
    """Neither disk nor maps: it answers 135 or 133, or sends a Binding Error."""
    session.start("home")
    session.move("b")
    session.lose_state("b")
    session.move("c")


def _mobile_node_restart(session: Session) -> None:
    session.start("home")
    session.move("b")
    session.restart_daemon("mn", "b")
    session.move("c")


def _movement_detection(session: Session) -> None:
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


def _binding_refresh(session: OptimizedSession) -> None:
    session.start("home", also=CN, ping_ms=QUICK_PING_MS)
    session.move("b")
    session.direct("cn")
    session.refreshed("cn", 2 * session.lab.settings["lifetime"])


def _route_optimization(session: OptimizedSession) -> None:
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


def _two_correspondents(session: OptimizedSession) -> None:
    both = ("cn", "cn2")
    session.start("home", also=dict.fromkeys(both), peers=both, ping_ms=QUICK_PING_MS)
    for link in "bc":
        session.move(link)
        session.direct(*both)
        session.count(OPTIMIZED_S)


def _return_home_optimized(session: OptimizedSession) -> None:
    session.start("home", also=CN, ping_ms=QUICK_PING_MS)
    session.move("b")
    session.direct("cn")
    session.move("home")
    session.forgotten("cn")
    time.sleep(1.0)


def _early(session: OptimizedSession) -> None:
    """The tests of link B are under way, unanswered, when it is on C already."""
    session.start("home", also=CN, ping_ms=QUICK_PING_MS)
    session.lab.cut_off("cn")
    session.move("b", stay=0.7)
    session.lab.cut_off("cn", cut=False)
    session.move("c")
    session.direct("cn")
    session.count(OPTIMIZED_S)
    session.never_on("cn", "b")


def _two_mobile_nodes(session: OptimizedSession) -> None:
    """Each is the other's correspondent, and both move at the same moment."""
    session.start("b", also={"mn2": "c"}, peers=("mn2",), ping_ms=QUICK_PING_MS)
    links = islice(cycle(({"mn": "c", "mn2": "b"}, {"mn": "b", "mn2": "c"})), 2)
    for where in (None, *links):
        if where is not None:
            session.move_together(where)
        session.direct("mn2")
        session.direct("mn", role="mn2")
        session.count(OPTIMIZED_S)


def _correspondent_restart(session: OptimizedSession) -> None:
    session.start("home", also=CN, ping_ms=QUICK_PING_MS)
    session.move("b")
    session.direct("cn")
    session.kill_correspondent("cn")
    session.direct("cn")
    session.reboot_correspondent("cn")
    session.direct("cn")
    session.count(OPTIMIZED_S)


def _without_mip6(session: OptimizedSession) -> None:
    """All other scenarios without a daemon at the correspondent say the same by the
    way; here is looked at why."""
    session.start("home")
    session.move("b")
    session.indirect("cn", "not_understood")
    session.move("c")
    session.indirect("cn", "not_understood")


def _two_interfaces(session: Session) -> None:
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


def _broken_network(session: Session) -> None:
    """Link b is up, and its router knows no way to the home agent."""
    session.start("home")
    session.move("b")
    session.plug("eth1", "c")
    session.unplug("eth0", "c")
    session.broken("eth0", "b", "c")


def _link_flap(session: Session) -> None:
    session.start("home")
    session.move("b")
    session.flap("b", 0.2, 0.05, 0.01, 0.3, 0.02, 0.1)


def _moves_faster(session: Session) -> None:
    session.start("home")
    session.move("b")
    session.rush(*islice(cycle("cb"), session.options.moves or 20), stay=0.02)


def _never_seen(session: Session) -> None:
    """B ↔ C, each time with a router that nobody knows: the mobile node must wait for
    its advertisement."""
    session.start("b")
    links = list(islice(cycle("cb"), session.options.moves or 2))
    for number, link in enumerate(links, 1):
        session.renew(link)
        session.move(link, stay=None if number == len(links) else HURRIED_S)


def _visited_again(session: Session) -> None:
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


def _home_agent_discovery(session: HomeAgentsSession) -> None:
    """The mobile node has a home address and a key; the rest it asks for (§11.4.1)."""
    session.lab.start_daemons("ha", "ha2")
    session.hears_of("ha", "ha2")
    session.start("b")
    session.found("ha", "ha2")
    session.move("c")


def _home_agent_dies(session: HomeAgentsSession) -> None:
    """The one that serves is gone without a word; silence alone tells of it."""
    session.lab.home_agent = "ha2"
    session.start("b", also={"ha2": None})
    session.lose_home_agent("ha2", "ha", "b")
    session.move("c")


def _renumbering(session: RenumberingSession) -> None:
    """Mobile Prefix Discovery (§10.6, §11.4.2) and two home addresses at a time."""
    session.start("home")
    session.move("b")
    session.new_prefix("b")
    session.move_both("c")
    session.old_prefix_ends("c")


def _suspend_resume(session: Session) -> None:
    session.start("home")
    session.move("b")
    session.sleep("c", 3.0)


def _visited_resolver(session: Session) -> None:
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


SCENARIOS = {
    "handover": Scenario(
        "home → B → C → B → home while ping, a stream each way and TCP run",
        _handover,
    ),
    "tcp_handover": Scenario(
        "the same moves under bulk TCP: never reset, every octet arrives",
        _tcp_handover,
    ),
    "virtual_home_link": Scenario(
        "no home link, its prefix is routed to the home agent: B → C → B",
        _virtual_home_link,
        virtual=True,
    ),
    "return_home": Scenario(
        "home → B → home: the binding goes, nothing stays behind",
        _return_home,
    ),
    "daemon_killed": Scenario(
        "kill -9 of each daemon under traffic: no packet lost, then they take over",
        _daemon_killed,
    ),
    "roaming_two_handovers": Scenario(
        "home → B and half a second later on to C",
        _roaming_two_handovers,
    ),
    "home_agent_restart": Scenario(
        "the home agent stops and starts; its bindings outlast it, refreshes go on",
        _home_agent_restart,
        lifetime=12,
    ),
    "home_agent_loses_state": Scenario(
        "the home agent reboots without its disk: the mobile node registers again",
        _home_agent_loses_state,
    ),
    "mobile_node_restart": Scenario(
        "the mobile node's daemon stops and starts while it is away; TCP survives",
        _mobile_node_restart,
    ),
    "movement_detection": Scenario(
        "lost advertisements and a second router are no move, a dead router is",
        _movement_detection,
    ),
    "two_interfaces": Scenario(
        "eth0 and eth1: between links that work no packet is lost, either way",
        _two_interfaces,
        interfaces=2,
    ),
    "broken_network": Scenario(
        "a link that is up and does not lead to the home agent is left alone",
        _broken_network,
        interfaces=2,
    ),
    "link_flap": Scenario(
        "a cable with a bad contact: the same link, six times in a second",
        _link_flap,
    ),
    "moves_faster_than_registration": Scenario(
        "twenty moves in a second end in the right place",
        _moves_faster,
    ),
    "never_seen": Scenario(
        "links never seen before: nothing is known but what their routers say",
        _never_seen,
    ),
    "visited_again": Scenario(
        "links seen before, whose routers answer and do not advertise",
        _visited_again,
    ),
    "home_agent_discovery": Scenario(
        "the mobile node asks the home link for its home agents: two are named",
        _home_agent_discovery,
        extra=("ha2",),
        home_agents=("discover",),
    ),
    "home_agent_dies": Scenario(
        "the machine of the home agent is gone: the next one is taken, TCP goes on",
        _home_agent_dies,
        lifetime=8,
        extra=("ha2",),
        home_agents=("ha2", "ha"),
    ),
    "renumbering": Scenario(
        "another home prefix while it is away: both addresses work, the old one goes",
        _renumbering,
        lifetime=12,
        prefixes=(f'"{PREFIXES["home"]}" = {{}}',),
    ),
    "suspend_resume": Scenario(
        "the mobile node sleeps, loses its link, and wakes up on another",
        _suspend_resume,
    ),
    "visited_resolver": Scenario(
        "the name servers of B and C are asked, and never see the home address",
        _visited_resolver,
        resolvers=True,
    ),
    "binding_refresh": Scenario(
        "bindings of 8 s, at home agent and correspondent, are refreshed unnoticed",
        _binding_refresh,
        lifetime=8,
        optimized=True,
    ),
    "route_optimization": Scenario(
        "home → B → C, and on each link directly: the home agent forwards nothing",
        _route_optimization,
        optimized=True,
    ),
    "route_optimization_two_correspondents": Scenario(
        "the same with two correspondents at the same time",
        _two_correspondents,
        extra=("cn2",),
        optimized=True,
    ),
    "return_home_route_optimization": Scenario(
        "back at home the correspondent stops using the routing header",
        _return_home_optimized,
        optimized=True,
    ),
    "early_route_optimization": Scenario(
        "it moves while the tests of return routability are running",
        _early,
        optimized=True,
    ),
    "two_mobile_nodes": Scenario(
        "two mobile nodes talk directly, and both move at the same moment",
        _two_mobile_nodes,
        extra=("mn2",),
        optimized=True,
    ),
    "correspondent_restart": Scenario(
        "the correspondent's daemon is killed; then it loses its bindings",
        _correspondent_restart,
        optimized=True,
    ),
    "correspondent_without_mip6": Scenario(
        "the correspondent does not know Mobile IPv6: all goes by the home agent",
        _without_mip6,
    ),
}


def run(
    name: str,
    lab: Lab,
    options: Options,
    *,
    tell: Callable[[str], None],
    pause: Callable[[str], None],
) -> Report:
    """Builds `lab`, plays the scenario `name` in it and takes the lab down.

    `tell` shows a line of progress, `pause` waits for the person between steps.  What
    goes wrong is a failed check of the report, never an exception.
    """
    scenario = SCENARIOS[name]
    report = Report(name)
    begin = time.monotonic()
    try:
        lab.up(
            virtual=scenario.virtual,
            advertising=replace(options.advertising, resolvers=scenario.resolvers),
            authentication=options.authentication,
            lifetime=scenario.lifetime,
            interfaces=scenario.interfaces,
            extra=scenario.extra,
            home_agents=scenario.home_agents,
            prefixes=scenario.prefixes,
            owned=True,
        )
    except LabError as error:
        report.checks.append(Check("the network", False, str(error)))
        return report
    try:
        tell(f"the network is built ({time.monotonic() - begin:.2f} s)")
        session = OptimizedSession(lab, report, options, tell=tell, pause=pause)
        scenario.play(session)
        session.finish()
    except LabError as error:
        report.checks.append(Check("the lab", False, str(error)))
    finally:
        lab.down()
    return report
