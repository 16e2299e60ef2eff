"""The scenarios: what each is about, and what it is played in."""

import time
from collections.abc import Callable
from dataclasses import replace

from mip6.wire.record import record

from . import plays
from .configuration import LIFETIME_S
from .lab import Lab
from .namespaces import LabError
from .optimized import OptimizedSession
from .report import Check, Options, Report
from .topology import PREFIXES


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


SCENARIOS = {
    "handover": Scenario(
        "home → B → C → B → home while ping, a stream each way and TCP run",
        plays.handover,
    ),
    "tcp_handover": Scenario(
        "the same moves under bulk TCP: never reset, every octet arrives",
        plays.tcp_handover,
    ),
    "virtual_home_link": Scenario(
        "no home link, its prefix is routed to the home agent: B → C → B",
        plays.virtual_home_link,
        virtual=True,
    ),
    "return_home": Scenario(
        "home → B → home: the binding goes, nothing stays behind",
        plays.return_home,
    ),
    "daemon_killed": Scenario(
        "kill -9 of each daemon under traffic: no packet lost, then they take over",
        plays.daemon_killed,
    ),
    "roaming_two_handovers": Scenario(
        "home → B and half a second later on to C",
        plays.roaming_two_handovers,
    ),
    "home_agent_restart": Scenario(
        "the home agent stops and starts; its bindings outlast it, refreshes go on",
        plays.home_agent_restart,
        lifetime=12,
    ),
    "home_agent_loses_state": Scenario(
        "the home agent reboots without its disk: the mobile node registers again",
        plays.home_agent_loses_state,
    ),
    "mobile_node_restart": Scenario(
        "the mobile node's daemon stops and starts while it is away; TCP survives",
        plays.mobile_node_restart,
    ),
    "movement_detection": Scenario(
        "lost advertisements and a second router are no move, a dead router is",
        plays.movement_detection,
    ),
    "two_interfaces": Scenario(
        "eth0 and eth1: between links that work no packet is lost, either way",
        plays.two_interfaces,
        interfaces=2,
    ),
    "broken_network": Scenario(
        "a link that is up and does not lead to the home agent is left alone",
        plays.broken_network,
        interfaces=2,
    ),
    "link_flap": Scenario(
        "a cable with a bad contact: the same link, six times in a second",
        plays.link_flap,
    ),
    "moves_faster_than_registration": Scenario(
        "twenty moves in a second end in the right place",
        plays.moves_faster,
    ),
    "never_seen": Scenario(
        "links never seen before: nothing is known but what their routers say",
        plays.never_seen,
    ),
    "visited_again": Scenario(
        "links seen before, whose routers answer and do not advertise",
        plays.visited_again,
    ),
    "home_agent_discovery": Scenario(
        "the mobile node asks the home link for its home agents: two are named",
        plays.home_agent_discovery,
        extra=("ha2",),
        home_agents=("discover",),
    ),
    "home_agent_dies": Scenario(
        "the machine of the home agent is gone: the next one is taken, TCP goes on",
        plays.home_agent_dies,
        lifetime=8,
        extra=("ha2",),
        home_agents=("ha2", "ha"),
    ),
    "renumbering": Scenario(
        "another home prefix while it is away: both addresses work, the old one goes",
        plays.renumbering,
        lifetime=12,
        prefixes=(f'"{PREFIXES["home"]}" = {{}}',),
    ),
    "suspend_resume": Scenario(
        "the mobile node sleeps, loses its link, and wakes up on another",
        plays.suspend_resume,
    ),
    "visited_resolver": Scenario(
        "the name servers of B and C are asked, and never see the home address",
        plays.visited_resolver,
        resolvers=True,
    ),
    "binding_refresh": Scenario(
        "bindings of 8 s, at home agent and correspondent, are refreshed unnoticed",
        plays.binding_refresh,
        lifetime=8,
        optimized=True,
    ),
    "route_optimization": Scenario(
        "home → B → C, and on each link directly: the home agent forwards nothing",
        plays.route_optimization,
        optimized=True,
    ),
    "route_optimization_two_correspondents": Scenario(
        "the same with two correspondents at the same time",
        plays.two_correspondents,
        extra=("cn2",),
        optimized=True,
    ),
    "return_home_route_optimization": Scenario(
        "back at home the correspondent stops using the routing header",
        plays.return_home_optimized,
        optimized=True,
    ),
    "early_route_optimization": Scenario(
        "it moves while the tests of return routability are running",
        plays.early,
        optimized=True,
    ),
    "two_mobile_nodes": Scenario(
        "two mobile nodes talk directly, and both move at the same moment",
        plays.two_mobile_nodes,
        extra=("mn2",),
        optimized=True,
    ),
    "correspondent_restart": Scenario(
        "the correspondent's daemon is killed; then it loses its bindings",
        plays.correspondent_restart,
        optimized=True,
    ),
    "correspondent_without_mip6": Scenario(
        "the correspondent does not know Mobile IPv6: all goes by the home agent",
        plays.without_mip6,
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
