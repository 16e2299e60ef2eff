"""The kernel state of a mobile node, derived from where it is attached.

Lists are in the order of installation, and removed backwards: the address before what
needs it as a source, the ways out of a link before what sends through them.
"""

from ipaddress import IPv6Address, IPv6Network

from .attachments import Attachments
from .home_agents import HomeAgents
from .link import Attachment
from .path_mtu import PathMtu, outer_mtu
from .state import (
    CareOfAddress,
    End,
    HomeAddress,
    Neighbor,
    Route,
    Rule,
    State,
    Tunnel,
)

MAIN_TABLE = 254
ANYWHERE = IPv6Network("::/0")
METRIC = 512
"""Of our routes in the main table: below the kernel's own from Router Advertisements
(1024), which an equal metric would replace, another link's too."""


def home_states(
    attachments: Attachments,
    home_agents: HomeAgents,
    table: int,
    now: float,
    *,
    address_on_link: bool = True,
) -> list[State]:
    """On the home link, where no special processing is needed (§11.3.1).

    The home address joins the link only once the home agent was told (§11.5.5), and
    not without `address_on_link`.
    """
    here, registration = attachments.here, home_agents.current
    assert here is not None
    home_address = home_agents.home_address
    states: list[State] = []
    if here.adopted:
        states += _own_way(here, home_address, table + 2)
    else:
        states += [*_neighbors(here, registration.home_agent), *_routes(here)]
    told = registration.sent or now >= registration.bound_until
    if told and address_on_link:
        states.append(HomeAddress(address=home_address, link=here.link))
    return states


def further_states(
    attachments: Attachments,
    home_agents: HomeAgents,
    device: str,
    table: int,
    now: float,
) -> list[State]:
    """For a home address beside the first: packets from it have the same ways."""
    here, registration = attachments.here, home_agents.current
    home_address = home_agents.home_address
    states: list[State] = [HomeAddress(address=home_address, link=device)]
    if here is None or not here.at_home:
        return [*states, Rule(priority=999, table=table, source=home_address)]
    if here.adopted:
        states.append(Rule(priority=1000, table=table + 2, source=home_address))
    if registration.sent or now >= registration.bound_until:
        states.append(HomeAddress(address=home_address, link=here.link))
    return states


def away_states(
    attachments: Attachments,
    home_address: IPv6Address,
    *,
    device: str,
    table: int,
    home_by_default: bool,
    checked_by_kernel: bool,
    mtu: int | None,
) -> list[State]:
    """On another link, or on none.

    Packets from the home address have a routing table of their own whose only way is
    the mobility device, also while no link is up: there they wait.  `home_by_default`
    lets new connections begin at the home address, wherever they go.  `mtu` is the
    largest inner packet, in octets, where the tunnel's path is narrower than the link.

    What is tunnelled from the `previous` care-of address goes by its own link while
    that is another, up to the moment the tunnel is changed; so none is lost.  By a
    link on `trial` only signalling goes, which names it.
    """
    here, trial, kept = attachments.here, attachments.trial, attachments.previous
    previous = kept.attachment if kept else None
    states: list[State] = []
    if previous and previous.care_of_address:
        states.append(_care_of_address(previous, checked_by_kernel))
        if here and here.link != previous.link:
            states += _own_way(previous, previous.care_of_address, table + 1)
    if trial and trial.care_of_address:
        states.append(_care_of_address(trial, checked_by_kernel))
        if trial.adopted:
            states += _own_way(trial, trial.care_of_address, table + 3)
        else:
            states += _neighbors(trial, None)
            states += _routes(trial, metric=METRIC + 1)
    if here and here.care_of_address:
        states.append(_care_of_address(here, checked_by_kernel))
        if here.adopted:
            # The main table's first way may be another link's.
            states += _own_way(here, here.care_of_address, table + 2)
        else:
            states += _neighbors(here, None)
            states += _routes(here)
    states.append(Rule(priority=999, table=table, source=home_address))
    if here and here.care_of_address and not here.adopted:
        # Tunnelled packets go by the link, whatever the rules below say.
        source = here.care_of_address
        states.append(Rule(priority=1000, table=MAIN_TABLE, source=source))
    if home_by_default:
        states.append(Rule(priority=1001, table=MAIN_TABLE, suppress_default=True))
        states.append(Rule(priority=1002, table=table))
    states.append(
        Route(
            destination=ANYWHERE,
            link=device,
            source=home_address,
            table=table,
            mtu=mtu,
        )
    )
    return states


def home_tunnel(
    attachments: Attachments,
    home_agents: HomeAgents,
    restored: Tunnel | None,
    path: PathMtu,
    now: float,
) -> Tunnel | None:
    """The tunnel at this end: both ways once it is registered; before, packets come
    out of it as soon as the home agent sends any, none go in (decision 0005).

    While another home agent is asked, the one that holds the binding still has it.

    restored: what an earlier process left, while it is of use.
    """
    here = attachments.here
    away = here is not None and not here.at_home
    address = here.care_of_address if here and away else attachments.away_at
    if address is None:
        return None
    standing = home_agents.standing(address, now) if away else None
    registration = standing or home_agents.current
    expires = registration.expires
    if standing is None:
        if restored:
            return restored
        # Also nowhere and on the way home: so a process that starts after this one
        # was killed knows that there is a binding to update or to delete.
        expires = registration.bound_until
        aim = registration.aim
        if aim and not aim.delete and not registration.refused:
            expires = max(expires, registration.asked_at + registration.lifetime)
        if expires <= now:
            return None
    if registration.home_agent is None:
        return None
    kept = attachments.previous
    previous = kept.attachment.care_of_address if kept and away else None
    previous_until = min(kept.until, expires) if kept and away else 0.0
    if trial := attachments.trial:
        # The home agent may be told of it already, and so tunnel to it.
        previous, previous_until = trial.care_of_address, expires
    return Tunnel(
        end=End.MOBILE_NODE,
        home_address=registration.home_address,
        care_of_address=address,
        home_agent=registration.home_agent,
        expires=expires,
        previous=previous,
        previous_until=previous_until,
        inbound_only=standing is None,
        path_mtu=outer_mtu(path.mtu(address, now)),
    )


def _care_of_address(at: Attachment, checked_by_kernel: bool) -> State:
    assert at.care_of_address is not None
    return CareOfAddress(
        address=at.care_of_address,
        prefix_length=at.prefix.prefixlen,
        link=at.link,
        adopted=at.adopted,
        checked_by_kernel=checked_by_kernel,
    )


def _own_way(at: Attachment, source: IPv6Address, table: int) -> list[State]:
    """What this source sends leaves by its link, whatever the main table says."""
    return [
        *_neighbors(at, None),
        Route(destination=ANYWHERE, link=at.link, gateway=at.gateway, table=table),
        Rule(priority=1000, table=table, source=source),
    ]


def _neighbors(here: Attachment, home_agent: IPv6Address | None) -> list[State]:
    """Whose link-layer address was heard: nobody need ask for it, which an optimistic
    address must not (RFC 4429 §3.2), nor one that the home agent defends (§11.5.5)."""
    if here.router_link_layer_address is None:
        return []
    addresses = [here.router]
    if home_agent and here.home_agent_here:
        addresses.append(home_agent)
    return [
        Neighbor(
            address=address,
            link=here.link,
            link_layer_address=here.router_link_layer_address,
        )
        for address in addresses
    ]


def _routes(here: Attachment, metric: int = METRIC) -> list[State]:
    return [
        Route(destination=here.prefix, link=here.link, metric=metric),
        Route(destination=ANYWHERE, link=here.link, gateway=here.router, metric=metric),
    ]
