"""`[router.INTERFACE]`: what this machine advertises as a router, or lets radvd."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv6Interface
from math import inf
from typing import Annotated

from pydantic import Field

from mip6.core.prefixes import HomePrefix
from mip6.core.router import Advertising
from mip6.linux import clock
from mip6.wire.neighbor_options import INFINITE_LIFETIME

from .home_link import HomeLinked
from .section import Interface, LinkName, Section

Seconds = Annotated[float, Field(gt=0)]


class RouterSection(Section):
    """One link (RFC 4861 §6.2.1, RFC 6275 §7).  On the home link of `[home_agent]` the
    advertisements say that this is a home agent."""

    addresses: Annotated[tuple[Interface, ...], Field(strict=False)]
    """The router's own, with the length of their prefixes: 2001:db8:b::1/64."""
    interval_max: Seconds = 600
    """Seconds between two advertisements at most; 0.07 for quick handovers."""
    interval_min: Seconds | None = None
    """At least; 0.03 is the shortest.  None: a third of `interval_max`."""
    delay_min: Seconds | None = None
    """Seconds between any two, answers too.  None: 3, or `interval_min` if shorter."""
    unsolicited: bool = True
    """False: only solicitations are answered."""
    interval_told: bool = True
    """With the Advertisement Interval option, by which mobile nodes miss us sooner."""
    lifetime: int | None = None
    """Seconds that hosts may use this router unheard; 0: no default router."""
    valid_lifetime: int = 2_592_000
    preferred_lifetime: int = 604_800
    """Seconds, of the prefixes; not of those in `[home_agent.prefixes]`."""
    home_agent_preference: int = 0
    """On the home link: higher ones are found first (§10.5)."""
    home_agent_lifetime: int | None = None

    def advertising(self, link: str, home: HomeLinked | None) -> Advertising:
        """`home`: the home agent, if it is on this link.  Raises `ValueError` for what
        may not be advertised."""
        return Advertising(
            link=link,
            home_agent=home is not None,
            home_prefixes=home.prefixes_said if home is not None else (),
            **dict(self),
        )


Routers = dict[LinkName, RouterSection]


def advertisings(
    routers: Mapping[str, RouterSection], home: HomeLinked | None
) -> list[Advertising]:
    """Raises `ValueError`."""
    return [
        section.advertising(link, _at(link, home)) for link, section in routers.items()
    ]


def _at(link: str, home: HomeLinked | None) -> HomeLinked | None:
    """The home agent, if this is its home link."""
    return home if home is not None and home.home_link == link else None


def renumbered(
    before: Iterable[HomePrefix], home: HomeLinked
) -> tuple[HomePrefix, ...]:
    """What is advertised of the home link's prefixes after a reload.  One that is in
    the file no more is over, though `[router]` still names an address in it: the
    lifetimes there were never meant for it."""
    kept = {home.home_prefix, *(prefix.network for prefix in home.prefixes_said)}
    over = (
        HomePrefix(network=prefix.network, valid_lifetime=0, preferred_lifetime=0)
        for prefix in before
        if prefix.network not in kept
    )
    return (*home.prefixes_said, *over)


def for_radvd(
    routers: Mapping[str, RouterSection], home: HomeLinked | None
) -> list[Advertising]:
    """What the file says, or what a home agent without `[router]` needs of radvd: fast
    enough that a mobile node soon knows that it is home."""
    found = advertisings(routers, home)
    if not found and home is not None and home.home_link is not None:
        address = IPv6Interface((home.address, home.home_prefix.prefixlen))
        found.append(
            Advertising(
                link=home.home_link,
                addresses=(address,),
                interval_max=3.0,
                interval_min=1.0,
                lifetime=1800,
                home_agent=True,
                home_prefixes=home.prefixes_said,
            )
        )
    return found


def problems(
    routers: Mapping[str, RouterSection], home: HomeLinked | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong, and the keys that lead to it in the file."""
    for link, section in routers.items():
        there = _at(link, home)
        try:
            section.advertising(link, there)
        except ValueError as error:
            key = str(error).split()[0]
            yield ("router", link, key), str(error)
        if there is not None and there.address not in [
            address.ip for address in section.addresses
        ]:
            yield (
                ("router", link, "addresses"),
                f"must hold the home agent's {there.address} (RFC 6275 7.2)",
            )
        if there is None and section.home_agent_preference:
            yield (
                ("router", link, "home_agent_preference"),
                f"{link} is not the home_link of [home_agent]",
            )


def radvd(advertising: Advertising) -> Iterator[str]:
    """The lines of radvd.conf(5) that say the same of one link; a lifetime that ends at
    a moment is what is left of it now."""
    now = clock.now()
    least, most = advertising.intervals
    yield f"interface {advertising.link}"
    yield "{"
    yield "\tAdvSendAdvert on;"
    yield f"\tMinRtrAdvInterval {min(least, 0.75 * most):g};"
    yield f"\tMaxRtrAdvInterval {most:g};"
    yield f"\tMinDelayBetweenRAs {advertising.delay:g};"
    yield f"\tAdvIntervalOpt {_switch(advertising.interval_told)};"
    yield "\tAdvSourceLLAddress on;"
    yield f"\tAdvDefaultLifetime {advertising.router_lifetime};"
    if not advertising.unsolicited:
        yield "\tUnicastOnly on;"
    yield f"\tAdvHomeAgentFlag {_switch(advertising.home_agent)};"
    if advertising.information is not None:
        preference, lifetime = advertising.information
        yield "\tAdvHomeAgentInfo on;"
        yield f"\tHomeAgentPreference {preference};"
        yield f"\tHomeAgentLifetime {lifetime};"
    for address in advertising.addresses:
        yield f"\tprefix {address}"
        yield "\t{"
        yield "\t\tAdvOnLink on;"
        yield "\t\tAdvAutonomous on;"
        yield "\t\tAdvRouterAddr on;"
        told = advertising.prefix(address, now)
        yield f"\t\tAdvValidLifetime {_seconds(told.valid_lifetime)};"
        yield f"\t\tAdvPreferredLifetime {_seconds(told.preferred_lifetime)};"
        if any(
            prefix.network == address.network
            and min(prefix.valid_until, prefix.preferred_until) < inf
            for prefix in advertising.home_prefixes
        ):
            yield "\t\tDecrementLifetimes on;"
        yield "\t};"
    yield "};"


def _seconds(lifetime: int) -> str:
    return "infinity" if lifetime == INFINITE_LIFETIME else str(lifetime)


def _switch(on: bool) -> str:
    return "on" if on else "off"
