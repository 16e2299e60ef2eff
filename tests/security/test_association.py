"""Associations that cannot be, and whose a packet must be."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from tests.support.security import (
    AT_HOME,
    BINDING_UPDATE,
    CARE_OF_ADDRESS,
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_TEST_INIT,
    KEY,
    OTHER_HOME_ADDRESS,
    OTHER_KEY,
    SOLICITATION,
    chance,
    from_key,
    node,
    protected,
    reason,
)

from mip6.core.packet import write
from mip6.core.state import End
from mip6.security.association import SecurityAssociation
from mip6.security.associations import Associations
from mip6.security.esp import Encryption, Integrity, Transform
from mip6.security.keys import Direction, Purpose, Secret
from mip6.security.verdict import Verified
from mip6.wire.packet import IPv6Packet, read_packet, write_packet

# Associations that cannot be.

OWN = from_key(KEY, HOME_ADDRESS, HOME_AGENT)


@pytest.mark.parametrize(
    ("associations", "says"),
    [
        ((*OWN, *OWN), "has SPI 0x[0-9a-f]+ to_home_agent twice"),
        (
            (*OWN, *(replace(a, home_address=OTHER_HOME_ADDRESS) for a in OWN)),
            "2001:db8:a::100 and 2001:db8:a::101 have the same key",
        ),
        (
            tuple(
                association
                for n in range(3)
                for association in from_key(
                    Secret(bytes([n]) * 32), HOME_ADDRESS, HOME_AGENT
                )
            ),
            "more than 2 security associations",
        ),
        (OWN[:1], "needs as many security associations to_mobile_node"),
        (OWN[1:2], "needs as many security associations to_home_agent"),
        (
            (*OWN, *from_key(OTHER_KEY, HOME_ADDRESS, HOME_AGENT)[:1]),
            "needs as many security associations to_mobile_node",
        ),
    ],
)
def test_associations_that_cannot_stand_side_by_side(
    associations: tuple[SecurityAssociation, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        Associations(End.HOME_AGENT, associations, random=chance())
    for association in associations:
        assert association.transform.integrity_key.reveal().hex() not in str(
            caught.value
        )


@pytest.mark.parametrize("spi", [0, 255, -1, 2**32])
def test_reserved_spis(spi: int) -> None:
    with pytest.raises(ValueError, match="is not one of"):
        replace(OWN[0], spi=spi)


def test_a_home_test_must_be_encrypted() -> None:
    transform = Transform(
        integrity=Integrity.HMAC_SHA1_96, integrity_key=Secret(bytes(20))
    )
    with pytest.raises(ValueError, match="must be encrypted"):
        replace(OWN[0], purpose=Purpose.RETURN_ROUTABILITY, transform=transform)
    assert transform.encryption is Encryption.NULL
    assert replace(OWN[0], transform=transform).purpose is Purpose.BINDING


# Whose association it must be.


@pytest.mark.rfc("5.1", "a security association serves one home address")
@pytest.mark.rfc("10.3.1", "the home address identifies the security association")
def test_one_mobile_node_cannot_speak_for_another() -> None:
    own = from_key(KEY, HOME_ADDRESS, HOME_AGENT)
    others = from_key(OTHER_KEY, OTHER_HOME_ADDRESS, HOME_AGENT)
    home_agent = Associations(End.HOME_AGENT, (*own, *others), random=chance())
    # The attacker has keys of his own and says what he likes.
    as_victim = tuple(replace(a, home_address=HOME_ADDRESS) for a in others)
    attacker = Associations(End.MOBILE_NODE, as_victim, random=chance())
    for packet in (BINDING_UPDATE, AT_HOME, SOLICITATION):
        octets = protected(attacker, packet)
        assert reason(home_agent.verify(octets)) == "home_address_mismatch"
    octets = protected(attacker, HOME_TEST_INIT)
    assert reason(home_agent.verify(octets)) == "selector_mismatch"
    # Nor does the option behind ESP help him, where nobody looks for it before.
    inner = write(replace(BINDING_UPDATE, source=OTHER_HOME_ADDRESS))
    assert (
        reason(home_agent.verify(hidden_option(others, inner))) == "selector_mismatch"
    )


def hidden_option(
    associations: tuple[SecurityAssociation, ...], octets: bytes
) -> bytes:
    """Source address his own, ESP, and only in it the victim's Home Address option."""
    association = next(a for a in associations if a.purpose is Purpose.BINDING)
    esp = association.transform.seal(association.spi, 1, 60, octets[40:], bytes(16))
    return octets[:4] + len(esp).to_bytes(2) + b"\x32" + octets[7:40] + esp


def test_the_spi_of_one_home_address_with_the_key_of_another() -> None:
    """Derived SPIs may meet; then the home address and the key decide."""
    own = from_key(KEY, HOME_ADDRESS, HOME_AGENT)
    others = tuple(
        replace(association, spi=first.spi)
        for first, association in zip(
            own, from_key(OTHER_KEY, OTHER_HOME_ADDRESS, HOME_AGENT), strict=True
        )
    )
    home_agent = Associations(End.HOME_AGENT, (*own, *others), random=chance())
    for associations, owner in ((own, HOME_ADDRESS), (others, OTHER_HOME_ADDRESS)):
        mobile_node = Associations(End.MOBILE_NODE, associations, random=chance())
        update = replace(BINDING_UPDATE, home_address=owner)
        test = replace(HOME_TEST_INIT, source=owner)
        for packet in (update, test):
            verdict = home_agent.verify(protected(mobile_node, packet))
            assert isinstance(verdict, Verified)
            assert verdict.protected_for == owner
    mobile_node = Associations(End.MOBILE_NODE, own, random=chance())
    octets = bytearray(protected(mobile_node, BINDING_UPDATE))
    octets[48:64] = OTHER_HOME_ADDRESS.packed
    assert reason(home_agent.verify(bytes(octets))) == "authentication_failed"


@pytest.mark.parametrize(
    ("at", "address"), [(24, "2001:db8:a::2"), (24, "2001:db8:ffff::1")]
)
def test_esp_for_another_home_agent(at: int, address: str) -> None:
    octets = bytearray(protected(node(End.MOBILE_NODE), BINDING_UPDATE))
    octets[at : at + 16] = IPv6Address(address).packed
    assert reason(node(End.HOME_AGENT).verify(bytes(octets))) == "home_address_mismatch"


def test_a_home_address_option_before_the_tunnel_is_none_of_ours() -> None:
    octets = protected(node(End.MOBILE_NODE), HOME_TEST_INIT)
    headers = read_packet(write(BINDING_UPDATE))
    esp = replace(headers, next_header=50, payload=octets[40:])
    verdict = node(End.HOME_AGENT).verify(write_packet(esp))
    assert reason(verdict) == "home_address_mismatch"


def test_what_came_by_the_wrong_association_of_the_right_node() -> None:
    """One association swapped for another of the same mobile node (RFC 4301 §5.2)."""
    own = from_key(KEY, HOME_ADDRESS, HOME_AGENT)
    home_agent = Associations(End.HOME_AGENT, own, random=chance())
    by_purpose = {a.purpose: a for a in own if a.direction is Direction.TO_HOME_AGENT}
    swapped = (
        (BINDING_UPDATE, Purpose.PREFIX_DISCOVERY),
        (SOLICITATION, Purpose.BINDING),
        (HOME_TEST_INIT, Purpose.BINDING),
        (HOME_TEST_INIT, Purpose.PREFIX_DISCOVERY),
        (replace(SOLICITATION, home_address=None), Purpose.RETURN_ROUTABILITY),
    )
    for number, (packet, purpose) in enumerate(swapped, start=1):
        association = by_purpose[purpose]
        headers = read_packet(write(packet))
        if packet.tunnel:
            headers = replace(headers, source=HOME_ADDRESS)
        esp = association.transform.seal(
            association.spi, number, headers.next_header, headers.payload, bytes(16)
        )
        octets = write_packet(replace(headers, next_header=50, payload=esp))
        assert reason(home_agent.verify(octets)) == "selector_mismatch", packet


@pytest.mark.parametrize(
    ("next_header", "payload", "expected"),
    [
        (59, b"anything", "dummy_packet"),
        (6, bytes(20), "selector_mismatch"),
        (0, bytes(8), "selector_mismatch"),
        (41, bytes(40), "selector_mismatch"),
        (135, bytes.fromhex("3b000700000000000000"), "octets_behind_mobility_header"),
    ],
)
def test_what_else_may_be_inside(
    next_header: int, payload: bytes, expected: str
) -> None:
    own = from_key(KEY, HOME_ADDRESS, HOME_AGENT)
    association = next(a for a in own if a.direction is Direction.TO_HOME_AGENT)
    headers = read_packet(write(AT_HOME))
    esp = association.transform.seal(
        association.spi, 1, next_header, payload, bytes(16)
    )
    octets = write_packet(replace(headers, next_header=50, payload=esp))
    assert reason(node(End.HOME_AGENT).verify(octets)) == expected


def test_a_home_address_option_out_of_its_place_in_a_full_header() -> None:
    """Put to where it belongs it would make the header too long for its length."""
    octets = protected(node(End.MOBILE_NODE), BINDING_UPDATE)
    option = b"\xc9\x10" + HOME_ADDRESS.packed
    rest = 2048 - 2 - len(option)
    filling = (b"\x1e\xff" + bytes(255)) * (rest // 257)
    filling += b"\x1e" + bytes([rest % 257 - 2]) + bytes(rest % 257 - 2)
    options = b"\x32\xff" + option + filling
    chain = options + read_packet(octets).payload
    octets = octets[:4] + len(chain).to_bytes(2) + octets[6:40] + chain
    assert reason(node(End.HOME_AGENT).verify(octets)) == "header_too_long"


def tunnelled(inner: bytes) -> bytes:
    """By the return routability association, from the care-of address."""
    association = next(
        a
        for a in from_key(KEY, HOME_ADDRESS, HOME_AGENT)
        if a.purpose is Purpose.RETURN_ROUTABILITY
        and a.direction is Direction.TO_HOME_AGENT
    )
    esp = association.transform.seal(association.spi, 1, 41, inner, bytes(16))
    outer = IPv6Packet(
        source=CARE_OF_ADDRESS, destination=HOME_AGENT, next_header=50, payload=esp
    )
    return write_packet(outer)


@pytest.mark.parametrize(
    "inner",
    [
        write(replace(HOME_TEST_INIT, tunnel=None, source=OTHER_HOME_ADDRESS)),
        write(replace(HOME_TEST_INIT, tunnel=None, home_address=OTHER_HOME_ADDRESS)),
        write(replace(SOLICITATION, home_address=None, source=HOME_ADDRESS)),
        write(HOME_TEST_INIT),  # nested tunnels
        write(replace(HOME_TEST_INIT, tunnel=None))[:-1],
        b"",
        bytes(60),
    ],
)
def test_what_may_not_come_through_the_tunnel(inner: bytes) -> None:
    verdict = node(End.HOME_AGENT).verify(tunnelled(inner))
    assert reason(verdict) == "selector_mismatch"
