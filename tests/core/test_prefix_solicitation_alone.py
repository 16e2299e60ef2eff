"""What is asked about the home link's prefixes, and what is known of them, alone
(§11.4.2, §11.4.3)."""

from ipaddress import IPv6Address, IPv6Network
from math import inf

from tests.core.test_prefix_solicitation import information
from tests.support.core import CARE_OF_ADDRESS, HOME_ADDRESS, HOME_AGENT, HOME_PREFIX

from mip6.core.packet import Packet
from mip6.core.prefix_solicitation import PrefixSolicitation
from mip6.core.registration import Registration
from mip6.core.whereabouts import Whereabouts
from mip6.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from mip6.wire.neighbor_options import PrefixInformation

OTHER_PREFIX = IPv6Network("2001:db8:1a::/64")
THERE = Whereabouts(
    link="eth0",
    care_of_address=CARE_OF_ADDRESS,
    home_agent=HOME_AGENT,
    told=True,
    confirmed=True,
)


def ask(prefixes: PrefixSolicitation, now: float) -> Packet:
    packet = prefixes.update(THERE, now)
    assert packet is not None
    return packet


def asking() -> PrefixSolicitation:
    return PrefixSolicitation(HOME_ADDRESS, enabled=True, random=bytes)


def tell(
    prefixes: PrefixSolicitation, now: float, *options: PrefixInformation
) -> PrefixSolicitation:
    """What the home agent answers, when it is asked."""
    prefixes.registered(now, necessary=True)
    question = ask(prefixes, now).message
    assert isinstance(question, MobilePrefixSolicitation)
    assert not receive(prefixes, now, question.identifier, *options)
    return prefixes


def receive(
    prefixes: PrefixSolicitation,
    now: float,
    identifier: int,
    *options: PrefixInformation,
) -> str:
    message = MobilePrefixAdvertisement(identifier=identifier, options=options)
    packet = Packet(
        source=HOME_AGENT,
        destination=CARE_OF_ADDRESS,
        routing_address=HOME_ADDRESS,
        message=message,
    )
    registration = Registration(
        HOME_ADDRESS, HOME_AGENT, lifetime=400, authentication_required=False
    )
    return prefixes.receive(packet, message, registration, now)


def test_before_anything_is_known_nothing_is_asked() -> None:
    assert asking().deadline == inf


def test_who_is_about_to_stop_asks_nothing() -> None:
    stopping = Whereabouts(
        care_of_address=CARE_OF_ADDRESS,
        home_agent=HOME_AGENT,
        confirmed=True,
        stopping=True,
    )
    assert asking().update(stopping, 0.0) is None
    assert asking().update(THERE, 0.0) is not None


def test_the_address_that_asks_is_one_of_ours() -> None:
    """§11.4.2: the one for new connections, once the other has ended."""
    new = IPv6Address("2001:db8:1a::100")
    prefixes = asking()
    prefixes.renumbered((new, HOME_ADDRESS))
    assert (prefixes.home_address, prefixes.asks_for) == (new, HOME_ADDRESS)
    prefixes.renumbered((new,))
    assert (prefixes.home_address, prefixes.asks_for) == (new, new)


def test_a_prefix_is_over_at_its_end() -> None:
    """§11.4.3: what another advertisement does not renew."""
    network = OTHER_PREFIX
    prefixes = tell(asking(), 0.0, information(), information(50, network=network))
    tell(prefixes, 49.0, information())
    assert [p.network for p in prefixes.prefixes] == [network, HOME_PREFIX]
    tell(prefixes, 50.0, information())
    assert [p.network for p in prefixes.prefixes] == [HOME_PREFIX]


def test_the_question_after_what_nobody_has_asked_for() -> None:
    """§6.8: the home agent sends no second advertisement within one second."""
    prefixes = tell(asking(), 0.0, information())
    assert receive(prefixes, 5.0, 7) == "unsolicited_advertisement"
    assert prefixes.deadline == 6.0
