"""The five steps of Mobile IP, told by the packets that made them."""

from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address, IPv6Network
from itertools import islice

from mip6.wire.icmpv6 import UnknownIcmp
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingStatus,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
)
from mip6.wire.neighbor_discovery import (
    NeighborAdvertisement,
    NeighborSolicitation,
    RouterAdvertisement,
    RouterSolicitation,
)
from mip6.wire.neighbor_options import PrefixInformation
from mip6.wire.options import (
    AlternateCareOfAddress,
    BindingAuthorizationData,
    MobilityMessageAuthentication,
)
from mip6.wire.record import record

from .capture import Frame
from .lab import Move
from .topology import (
    CORRESPONDENTS,
    HOME_ADDRESS,
    HOME_AGENTS,
    MOBILE_NODES,
    NEW_HOME_ADDRESS,
    PREFIXES,
    ROUTER_OF,
)

ECHO_REQUEST, ECHO_REPLY = 128, 129
_KEYLESS = {
    BindingStatus.EXPIRED_HOME_NONCE_INDEX,
    BindingStatus.EXPIRED_CARE_OF_NONCE_INDEX,
    BindingStatus.EXPIRED_NONCES,
}
_MOBILE_NODE_LINK_LOCAL = IPv6Address("fe80::ff:fe00:64")

_NAMES = {
    HOME_ADDRESS: "home address",
    NEW_HOME_ADDRESS: "new home address",
    MOBILE_NODES["mn2"]: "home address of mn2",
    **{address: role for role, address in HOME_AGENTS.items()},
    **{address: role for role, address in CORRESPONDENTS.items()},
    _MOBILE_NODE_LINK_LOCAL: "mn",
    IPv6Address("ff02::1"): "all nodes",
    IPv6Address("ff02::2"): "all routers",
    IPv6Address("::"): "::",
}


_TESTS: dict[type, str] = {
    HomeTestInit: "Home Test Init",
    HomeTest: "Home Test",
    CareOfTestInit: "Care-of Test Init",
    CareOfTest: "Care-of Test",
}


@record
class Step:
    """One of the five steps; `lines` are its packets, empty if none was seen."""

    title: str
    lines: list[str]
    fleeting: bool = False
    """It may be over before there is a ping to see it by."""


def name(address: IPv6Address) -> str:
    """Who has `address`, in the words of the picture."""
    if address in _NAMES:
        return _NAMES[address]
    if address.is_link_local:
        return "router"
    for link, prefix in PREFIXES.items():
        if address in prefix:
            return ROUTER_OF[link] if address == prefix[1] else f"mn on {link.upper()}"
    return str(address)


def describe(frame: Frame) -> str:
    """One line: who to whom, what, and what is in it."""
    packet = frame.packet
    way = f"{name(packet.source)} → {name(packet.destination)}"
    if inner := frame.inner:
        passenger = f"{name(inner.source)} → {name(inner.destination)}"
        tunnel = "tunnel" if frame.spi is None else "ESP tunnel"
        return f"{way}  {tunnel} [ {passenger}  {_content(frame)} ]"
    if frame.spi is not None:
        return f"{way}  ESP [ {_content(frame)} ]"
    if frame.direct:
        passenger = f"{name(frame.ends[0])} → {name(frame.ends[1])}"
        return f"{way}  direct [ {passenger}  {_content(frame)} ]"
    return f"{way}  {_content(frame)}"


def _content(frame: Frame) -> str:
    match frame.message:
        case BindingUpdate() as update:
            flags = [
                *(["acknowledge"] if update.acknowledge else []),
                *(["home registration"] if update.home_registration else []),
            ]
            return (
                f"Binding Update, sequence {update.sequence_number}, "
                f"lifetime {update.lifetime} s, "
                f"care-of address {_care_of_address(update, frame)}"
                f"{''.join(f', {flag}' for flag in flags)}"
            )
        case BindingAcknowledgement() as answer:
            try:
                status = BindingStatus(answer.status).name.lower().replace("_", " ")
            except ValueError:
                status = "unknown"
            return (
                f"Binding Acknowledgement, status {answer.status} ({status}), "
                f"sequence {answer.sequence_number}, lifetime {answer.lifetime} s"
            )
        case HomeTestInit() | HomeTest() | CareOfTestInit() | CareOfTest():
            return _TESTS[type(frame.message)]
        case RouterSolicitation():
            return "Router Solicitation"
        case RouterAdvertisement() as advertisement:
            prefixes = ", ".join(f"{p}" for p in _prefixes(advertisement))
            home_agent = ", home agent" if advertisement.home_agent else ""
            return f"Router Advertisement, prefix {prefixes}{home_agent}"
        case NeighborSolicitation(target_address=target):
            if frame.packet.source.is_unspecified:
                return f"Neighbor Solicitation: does anybody else have {target}?"
            return f"Neighbor Solicitation, who has {target}?"
        case NeighborAdvertisement(target_address=target):
            return f"Neighbor Advertisement, {target}"
        case UnknownIcmp(type=kind, data=data) if kind in (ECHO_REQUEST, ECHO_REPLY):
            which = "Echo Request" if kind == ECHO_REQUEST else "Echo Reply"
            return f"{which} {int.from_bytes(data[2:4], 'big')}"
        case message:
            return type(message).__name__ if message else "data"


def _care_of_address(update: BindingUpdate, frame: Frame) -> IPv6Address:
    for option in update.options:
        if isinstance(option, AlternateCareOfAddress):
            return option.care_of_address
    return frame.packet.source


def _prefixes(advertisement: RouterAdvertisement) -> list[IPv6Network]:
    return [
        # With the R bit (§7.2) the host part is the router's own address.
        IPv6Network((option.prefix, option.prefix_length), strict=False)
        for option in advertisement.options
        if isinstance(option, PrefixInformation)
    ]


def five_steps(frames: dict[str, list[Frame]], move: Move, end: float) -> list[Step]:
    """The five steps of a move to a foreign link that is over at `end`.

    Times are milliseconds from the moment the cable was in.
    """
    start = move.plugged_at
    prefix = PREFIXES[move.destination]

    def first(place: str, wanted: Callable[[Frame], bool], after: float) -> list[Frame]:
        """A list of the first wanted frame, or of nothing."""
        seen = (f for f in frames.get(place, []) if after <= f.at < end and wanted(f))
        return list(islice(seen, 1))

    def lines(*parts: list[Frame]) -> list[str]:
        chosen = sorted((f for part in parts for f in part), key=lambda f: f.at)
        return [f"{(f.at - start) * 1000:8.1f} ms  {describe(f)}" for f in chosen]

    hello = first("mn", lambda f: isinstance(f.message, RouterSolicitation), start)
    router = first("mn", lambda f: _advertises(f, prefix), start)
    unique = first("mn", lambda f: _checks_uniqueness(f, prefix), start)
    update = first("mn", _registers, start)
    answer = first("mn", lambda f: _answers(f, update), start)
    registered = answer[0].at if answer else start
    request, tunnelled, reverse, arrived = _exchange(frames, registered, end)
    where = f"link {move.destination.upper()}"
    told = [
        first("mn", _is_a(kind), registered)
        for kind in (HomeTestInit, CareOfTestInit, HomeTest, CareOfTest)
    ]
    told.append(first("mn", lambda f: _registers(f, home=False), registered))
    agreed = first("mn", lambda f: _agrees(f, told[-1]), registered)
    directly = [
        first("cn", partial(_is_direct_ping, kind=kind), registered)
        for kind in (ECHO_REQUEST, ECHO_REPLY)
    ]
    optimized = bool(agreed and all(directly))
    last = Step(
        "The mobile node answers from its home address, back through the home agent.",
        lines(reverse, arrived),
    )
    if optimized:
        last = Step(
            "The mobile node tells the correspondent its care-of address, after a test "
            "that both addresses are its own, and from then on they talk directly.",
            lines(*told, agreed, *directly),
        )
    return [
        Step(
            f"The mobile node comes to {where}, hears its router and makes itself a "
            "care-of address of that link.",
            lines(hello, router, unique),
        ),
        Step(
            "It registers the care-of address with its home agent: a binding update, "
            "and its acknowledgement.",
            lines(update, answer),
        ),
        Step(
            "The correspondent knows nothing of this and sends to the home address; "
            "the home agent intercepts.",
            lines(request),
            optimized,
        ),
        Step(
            "The home agent tunnels the packet to the care-of address.",
            lines(tunnelled),
            optimized,
        ),
        last,
    ]


def _exchange(
    frames: dict[str, list[Frame]], start: float, end: float
) -> list[list[Frame]]:
    """The first ping of which all is seen, or else the first: the request at the home
    agent, and in the tunnel; the reply in the tunnel, and at the correspondent."""
    stations = [
        ("ha", ECHO_REQUEST, False),
        ("mn", ECHO_REQUEST, True),
        ("mn", ECHO_REPLY, True),
        ("cn", ECHO_REPLY, False),
    ]
    seen: list[dict[bytes, Frame]] = [{} for _ in stations]
    for (place, kind, in_tunnel), found in zip(stations, seen, strict=True):
        for frame in frames.get(place, []):
            message = frame.message
            if (
                start <= frame.at < end
                and isinstance(message, UnknownIcmp)
                and message.type == kind
                and (frame.inner is not None) == in_tunnel
                and not frame.direct
                and HOME_ADDRESS in frame.ends
            ):
                # Identifier and sequence number tell the pings apart.
                found.setdefault(message.data[:4], frame)
    whole = [number for number in seen[0] if all(number in found for found in seen)]
    number = next(iter([*whole, *seen[0]]), b"")
    return [[found[number]] if number in found else [] for found in seen]


def unproved(frames: dict[str, list[Frame]], mechanism: str) -> list[str]:
    """Binding Updates and Acknowledgements on the wire without what proves them."""
    return [
        f"{place}: {describe(frame)}"
        for place, seen in frames.items()
        for frame in seen
        if _is_unproved(frame, mechanism)
    ]


def _is_unproved(frame: Frame, mechanism: str) -> bool:
    message = frame.message
    if not isinstance(message, BindingUpdate | BindingAcknowledgement):
        return False
    if not {*HOME_AGENTS.values()} & {*frame.ends}:
        # What proves one to a correspondent; but these statuses say that it has no key.
        if isinstance(message, BindingAcknowledgement) and message.status in _KEYLESS:
            return False
        return not isinstance(message.options[-1], BindingAuthorizationData)
    if mechanism == "shared_key":
        return frame.spi is None
    return not any(
        isinstance(option, MobilityMessageAuthentication) for option in message.options
    )


def updates(
    frames: dict[str, list[Frame]], begin: float, end: float, *, home: bool = True
) -> list[int]:
    """The sequence numbers of the Binding Updates that left the mobile node, for its
    home agent or for correspondents."""
    return [
        frame.message.sequence_number
        for frame in frames.get("mn", [])
        if begin <= frame.at < end
        and isinstance(frame.message, BindingUpdate)
        and frame.message.home_registration == home
    ]


def update_moments(
    frames: dict[str, list[Frame]], begin: float, end: float
) -> list[float]:
    """When Binding Updates left the mobile node, in seconds of the boot clock."""
    return [
        frame.at
        for frame in frames.get("mn", [])
        if begin <= frame.at < end and _registers(frame)
    ]


def on_the_wire(
    frames: dict[str, list[Frame]], move: Move, end: float
) -> dict[str, float]:
    """When what a move needs passed the mobile node's link, in milliseconds from
    carrier up: its first question, the first word of a router, the Binding Update after
    these, and the answer.  What did not pass is left out."""
    here = [
        frame for frame in frames.get("mn", []) if move.plugged_at <= frame.at < end
    ]
    update = next((n for n, frame in enumerate(here) if _registers(frame)), len(here))
    found: dict[str, float] = {}
    for step, is_it, part in (
        ("router_solicitation", _is_a(RouterSolicitation), here[:update]),
        ("router_word", _is_routers_word, here[:update]),
        ("binding_update", _registers, here[update:]),
        ("binding_acknowledgement", _is_a(BindingAcknowledgement), here[update:]),
    ):
        if frame := next(filter(is_it, part), None):
            found[step] = (frame.at - move.plugged_at) * 1000
    return found


def tunnel_seen(frames: dict[str, list[Frame]], move: Move, end: float) -> bool:
    """Whether packets went both ways through the tunnel after `move`, until `end`."""
    prefix = PREFIXES[move.destination]
    ways = {
        (name(frame.packet.source), name(frame.packet.destination))
        for frame in frames.get("mn", [])
        if frame.inner is not None
        and move.plugged_at <= frame.at < end
        and HOME_ADDRESS in frame.ends
    }
    visitor = name(prefix[2])
    return {("ha", visitor), (visitor, "ha")} <= ways


def directly_seen(frames: dict[str, list[Frame]], begin: float, end: float) -> bool:
    """Whether pings went both ways past the home agent, from the visited link of the
    mobile node to the correspondent and back."""
    return all(
        any(
            begin <= frame.at < end and _is_direct_ping(frame, kind)
            for frame in frames.get("mn", [])
        )
        for kind in (ECHO_REQUEST, ECHO_REPLY)
    )


def _registers(frame: Frame, *, home: bool = True) -> bool:
    """A Binding Update to the home agent, or to a correspondent."""
    message = frame.message
    return isinstance(message, BindingUpdate) and message.home_registration == home


def _agrees(frame: Frame, update: list[Frame]) -> bool:
    """Whether this is a correspondent's acceptance of `update`."""
    return (
        isinstance(frame.message, BindingAcknowledgement)
        and bool(update)
        and frame.at > update[0].at
        and frame.ends[0] == update[0].ends[1]
        and frame.message.status < BindingStatus.REASON_UNSPECIFIED
    )


def _is_routers_word(frame: Frame) -> bool:
    """An advertisement, or what a router says that was asked if it is there."""
    message = frame.message
    return isinstance(message, RouterAdvertisement) or (
        isinstance(message, NeighborAdvertisement) and message.router
    )


def _is_a(kind: type) -> Callable[[Frame], bool]:
    return lambda frame: isinstance(frame.message, kind)


def _is_direct_ping(frame: Frame, kind: int) -> bool:
    message = frame.message
    return frame.direct and isinstance(message, UnknownIcmp) and message.type == kind


def _advertises(frame: Frame, prefix: IPv6Network) -> bool:
    message = frame.message
    return isinstance(message, RouterAdvertisement) and prefix in _prefixes(message)


def _checks_uniqueness(frame: Frame, prefix: IPv6Network) -> bool:
    message = frame.message
    return (
        isinstance(message, NeighborSolicitation)
        and frame.packet.source.is_unspecified
        and message.target_address in prefix
    )


def _answers(frame: Frame, update: list[Frame]) -> bool:
    """Whether this is an acknowledgement that followed `update`."""
    return (
        isinstance(frame.message, BindingAcknowledgement)
        and bool(update)
        and frame.at > update[0].at
    )
