"""The captured correspondent against our mobile node, which draws the captured cookies:
its tests, its Binding Updates and the answers to them are those of the captures."""

from collections.abc import Iterator
from ipaddress import IPv6Address

from tests.interop.test_replay import HOME_PREFIX, LINK, OWN, Replay
from tests.support.captures import (
    AT_B,
    AT_C,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    Captured,
    Message,
    messages,
    packets,
)

from mip6.core.address_test import KeygenToken
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.state import End, RouteOptimization, Tunnel
from mip6.wire.messages import (
    BindingUpdate,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
)


class Cookies:
    """Chance that gives what the captured mobile node drew; the last over and over."""

    def __init__(self, *cookies: bytes) -> None:
        self._cookies = list(cookies)

    def __call__(self, count: int) -> bytes:
        assert count == 8
        return self._cookies.pop(0) if self._cookies[1:] else self._cookies[0]


def captured(capture: str, kind: type) -> Message:
    """The first such message between mobile node and correspondent."""
    return next(
        message
        for message in messages(capture)
        if isinstance(message.packet.message, kind)
        and CORRESPONDENT in (message.packet.source, message.packet.destination)
    )


def heard(capture: str, first: int) -> Iterator[Captured]:
    """What came to the captured mobile node, from a frame on."""
    own = {address.packed for address in OWN if address}
    for one in packets(capture):
        if one.frame >= first and one.octets[8:24] not in own:
            yield one


def begin(
    cookies: Cookies, number: int, began: float, *, at: IPv6Address | None, until: float
) -> tuple[Replay, MobileNode]:
    """number: of the last Binding Update to the home agent.
    at: where home agent and correspondent had it, until then."""
    tunnel, way = None, None
    if at is not None:
        tunnel = Tunnel(
            end=End.MOBILE_NODE,
            home_address=HOME_ADDRESS,
            care_of_address=at,
            home_agent=HOME_AGENT,
            expires=until,
        )
        way = RouteOptimization(
            end=End.MOBILE_NODE,
            home_address=HOME_ADDRESS,
            correspondent=CORRESPONDENT,
            care_of_address=at,
            expires=until,
        )
    mobile_node = MobileNode(
        HOME_ADDRESS,
        HOME_PREFIX,
        (HOME_AGENT,),
        lifetime=40,
        random=cookies,
        authentication_required=False,
        restored=tunnel,
        restored_ways=(way,) if way else (),
    )
    mobile_node.registration.sequence_number = number
    replay = Replay(Node(mobile_node=mobile_node), End.MOBILE_NODE, protected=False)
    for state in (tunnel, way):
        if state is not None:
            replay.standing[state.key] = state
    replay.do(mobile_node.link_up(LINK, began), began)
    return replay, mobile_node


def number_from(mobile_node: MobileNode, number: int) -> None:
    """The next Binding Update to the correspondent has the captured number."""
    entry = mobile_node.correspondents.find(CORRESPONDENT)
    assert entry is not None
    entry.sequence_number = number - 1


def knows_home_token(mobile_node: MobileNode) -> None:
    """What the test in rr-cnbind brought."""
    test = captured("rr-cnbind-mn", HomeTest)
    message = test.packet.message
    assert isinstance(message, HomeTest)
    entry = mobile_node.correspondents.find(CORRESPONDENT)
    assert entry is not None
    entry.procedure._home_token = KeygenToken(
        message.home_keygen_token, message.home_nonce_index, test.at
    )


def sent_to_correspondent(replay: Replay, kind: type) -> list[Packet]:
    return [
        packet
        for _, packet in replay.sent
        if isinstance(packet.message, kind) and packet.destination == CORRESPONDENT
    ]


def as_we_send(theirs: Message) -> bytes:
    """The captured packet without what is theirs alone, the flow label; a tunnel's
    packet without the tunnel."""
    packet = theirs.packet
    return write(
        Packet(
            source=packet.source,
            destination=packet.destination,
            home_address=packet.home_address,
            message=packet.message,
            hop_limit=packet.hop_limit,
        )
    )


def way_of(replay: Replay) -> RouteOptimization | None:
    ways = (s for s in replay.standing.values() if isinstance(s, RouteOptimization))
    return next(ways, None)


def test_both_tests_and_the_binding_update() -> None:
    """Registered as in home-reg, then a ping from the correspondent."""
    home, care_of = (
        captured("rr-cnbind-mn", kind) for kind in (HomeTestInit, CareOfTestInit)
    )
    assert isinstance(home.packet.message, HomeTestInit)
    assert isinstance(care_of.packet.message, CareOfTestInit)
    cookies = Cookies(
        home.packet.message.home_init_cookie,
        care_of.packet.message.care_of_init_cookie,
    )
    [*registering] = heard("home-reg-mn", 5)
    began = registering[0].at - 0.001
    replay, mobile_node = begin(cookies, 47072, began, at=None, until=0.0)
    for one in registering:
        replay.receive(one)
    for one in heard("rr-cnbind-mn", 1):
        if one.frame == 3:
            replay.pass_time(one.at)
            effects = replay.node.talks_to(HOME_ADDRESS, CORRESPONDENT, one.at)
            replay.do(effects, one.at)
            number_from(mobile_node, 47256)
        replay.receive(one)
    [init] = sent_to_correspondent(replay, HomeTestInit)
    assert init.tunnel == (AT_B, HOME_AGENT)
    assert write(init).endswith(as_we_send(home)[8:])
    [init] = sent_to_correspondent(replay, CareOfTestInit)
    assert write(init) == as_we_send(care_of)
    [update] = sent_to_correspondent(replay, BindingUpdate)
    theirs = captured("rr-cnbind-mn", BindingUpdate).packet.message
    assert isinstance(update.message, BindingUpdate)
    assert isinstance(theirs, BindingUpdate)
    # Theirs counts the home registration from another transmission.
    assert (update.message.lifetime, theirs.lifetime) == (24, 28)
    assert update.message.options[0] == theirs.options[0]
    way = way_of(replay)
    assert way is not None
    assert (way.care_of_address, way.inbound_only) == (AT_B, False), "it was signed so"


def test_the_move() -> None:
    """The home keygen token of before; theirs asks for the other one four seconds after
    the home agent has answered, ours at once."""
    care_of = captured("movement-mn", CareOfTestInit)
    assert isinstance(care_of.packet.message, CareOfTestInit)
    cookies = Cookies(care_of.packet.message.care_of_init_cookie)
    [*moving] = heard("movement-mn", 15)
    began = moving[0].at - 0.001
    replay, mobile_node = begin(cookies, 47077, began, at=AT_B, until=began + 30)
    mobile_node.tick(began)
    knows_home_token(mobile_node)
    number_from(mobile_node, 47263)
    for one in moving:
        replay.receive(one)
    assert sent_to_correspondent(replay, HomeTestInit) == []
    inits = sent_to_correspondent(replay, CareOfTestInit)
    assert write(inits[0]) == as_we_send(care_of)
    [update] = sent_to_correspondent(replay, BindingUpdate)
    theirs = captured("movement-mn", BindingUpdate).packet.message
    assert isinstance(update.message, BindingUpdate)
    assert isinstance(theirs, BindingUpdate)
    # Theirs counts the home registration from another transmission.
    assert (update.message.lifetime, theirs.lifetime) == (32, 36)
    assert update.message.options[0] == theirs.options[0]
    way = way_of(replay)
    assert way is not None
    assert (way.care_of_address, way.inbound_only) == (AT_C, False), "it was signed so"


def test_home_again() -> None:
    update = captured("return-home-mn", BindingUpdate)
    cookies = Cookies(bytes(8))
    [*returning] = heard("return-home-mn", 15)
    began = returning[0].at - 0.001
    replay, mobile_node = begin(cookies, 47083, began, at=AT_C, until=began + 30)
    mobile_node.tick(began)
    knows_home_token(mobile_node)
    number_from(mobile_node, 47265)
    for one in returning:
        replay.receive(one)
    [ours] = sent_to_correspondent(replay, BindingUpdate)
    assert write(ours) == as_we_send(update)
    assert way_of(replay) is None
