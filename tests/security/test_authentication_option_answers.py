"""The MN-HA option: what the mobile node believes, and what cannot be (RFC 4285)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.security.test_authentication_option import (
    ACKNOWLEDGEMENT,
    ASSOCIATION,
    AT_HOME,
    BINDING_UPDATE,
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    NEW,
    NOW,
    OTHER_HOME_ADDRESS,
    OTHER_KEY,
    WALL,
    home_agent,
    mobile_node,
    node,
    options,
    reason,
    sent,
    status,
    with_checksum,
)
from tests.support.strategies import mutated, packets

from mip6.core.packet import Packet, read, write
from mip6.core.state import End
from mip6.security.authentication_option import (
    ntp,
)
from mip6.security.keys import Secret
from mip6.security.mobility_association import MobilitySecurityAssociation, from_key
from mip6.security.verdict import Protected, Rejected, Verified
from mip6.wire.buffer import WireError
from mip6.wire.messages import BindingStatus, BindingUpdate
from mip6.wire.options import (
    MobilityMessageAuthentication,
)
from mip6.wire.packet import write_packet

# What the mobile node believes.


def test_an_acknowledgement_must_echo_the_timestamp() -> None:
    here, there = mobile_node(), home_agent()
    there.verify(sent(mobile_node(), wall=WALL - 1), NOW, WALL)  # another process
    sent(here)
    answer = sent(there, ACKNOWLEDGEMENT)
    assert reason(here.verify(answer, NOW, WALL)) == "timestamp_mismatch"
    bare = sent(home_agent(), ACKNOWLEDGEMENT)
    assert reason(here.verify(bare, NOW, WALL)) == "timestamp_mismatch"
    mismatch = replace(ACKNOWLEDGEMENT.message, status=144)
    bare = sent(home_agent(), replace(ACKNOWLEDGEMENT, message=mismatch))
    assert reason(here.verify(bare, NOW, WALL)) == "timestamp_mismatch"


def test_the_acknowledgement_of_a_retransmission_counts() -> None:
    here, there = mobile_node(), home_agent()
    first = sent(here)
    sent(here, wall=WALL + 1)
    there.verify(first, NOW, WALL)
    assert isinstance(here.verify(sent(there, ACKNOWLEDGEMENT), NOW, WALL), Verified)


def test_unprotected_acknowledgements_are_discarded() -> None:
    verdict = mobile_node().verify(write(ACKNOWLEDGEMENT), NOW, WALL)
    assert verdict == Rejected("unprotected", "RFC 4285 5", HOME_AGENT)


def test_the_answer_uses_the_key_of_the_update() -> None:
    there = home_agent(NEW, ASSOCIATION)
    for association in (ASSOCIATION, NEW):
        here = mobile_node(association)
        wall = WALL + association.mobility_spi - 0x100
        assert isinstance(there.verify(sent(here, wall=wall), NOW, WALL), Verified)
        answer = sent(there, ACKNOWLEDGEMENT)
        assert isinstance(here.verify(answer, NOW, WALL), Verified)


# What is none of its business.


assert isinstance(BINDING_UPDATE.message, BindingUpdate)
FOR_CORRESPONDENT = replace(
    BINDING_UPDATE, message=replace(BINDING_UPDATE.message, home_registration=False)
)


@pytest.mark.parametrize("end", End)
@pytest.mark.parametrize(
    "packet",
    [
        replace(FOR_CORRESPONDENT, home_address=OTHER_HOME_ADDRESS),
        replace(FOR_CORRESPONDENT, destination=CORRESPONDENT),
        replace(ACKNOWLEDGEMENT, source=CORRESPONDENT),
        replace(AT_HOME, tunnel=(CARE_OF_ADDRESS, HOME_AGENT)),
    ],
)
def test_packets_of_others_pass_as_they_are(end: End, packet: Packet) -> None:
    octets = write(packet)
    assert node(end).verify(octets, NOW, WALL) == Verified(octets)
    assert node(end).protect(octets, WALL) == Protected(octets)


@pytest.mark.parametrize("end", End)
@given(octets=st.one_of(st.binary(max_size=200), packets().map(write_packet)))
def test_no_octets_raise_anything(end: End, octets: bytes) -> None:
    assert node(end).verify(octets, NOW, WALL) == Verified(octets)


@given(st.data())
def test_no_mutant_raises_anything_or_is_believed(data: st.DataObject) -> None:
    here = mobile_node()
    octets = data.draw(mutated(sent(here)))
    verdict = home_agent().verify(with_checksum_if_any(octets), NOW, WALL)
    if isinstance(verdict, Verified) and verdict.protected_for:
        message, original = read(verdict.octets).message, BINDING_UPDATE.message
        assert isinstance(message, BindingUpdate)
        assert isinstance(original, BindingUpdate)
        assert message.sequence_number == original.sequence_number
        assert message.lifetime == original.lifetime
        assert message.options[0] == original.options[0]


def with_checksum_if_any(octets: bytes) -> bytes:
    try:
        return with_checksum(octets)
    except (WireError, ValueError):
        return octets


# Associations that cannot be.


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mobility_spi": 255}, "is not one of"),
        ({"mobility_spi": 2**32}, "is not one of"),
        ({"key": Secret(bytes(20))}, "needs a key of 16 octets"),
        ({"network_access_identifier": ""}, "1 to 253 octets"),
        ({"network_access_identifier": "ä" * 127}, "1 to 253 octets"),
        ({"difference_max": 3.0}, "more than 3 s"),
    ],
)
def test_nonsense_is_not_constructed(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(ASSOCIATION, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("associations", "says"),
    [
        ((ASSOCIATION, OTHER_KEY), "a mobility SPI twice"),
        (
            tuple(
                replace(
                    ASSOCIATION, mobility_spi=spi, key=Secret(bytes([spi - 256] * 16))
                )
                for spi in range(256, 259)
            ),
            "more than 2",
        ),
        (
            (ASSOCIATION, replace(ASSOCIATION, home_address=OTHER_HOME_ADDRESS)),
            "have the same key",
        ),
    ],
)
def test_associations_that_cannot_stand_side_by_side(
    associations: tuple[MobilitySecurityAssociation, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        node(End.HOME_AGENT, *associations)


def test_one_shared_key_stands_for_an_association() -> None:
    first = from_key(Secret(bytes(32)), HOME_ADDRESS, HOME_AGENT, "a@b.example")
    other = from_key(Secret(bytes(32)), OTHER_HOME_ADDRESS, HOME_AGENT, "a@b.example")
    assert first.key != other.key
    assert "00010203" not in repr(ASSOCIATION) and "\\x01\\x02" not in repr(ASSOCIATION)
    verdict = home_agent(first, other).verify(sent(mobile_node(first)), NOW, WALL)
    assert isinstance(verdict, Verified)


def test_status_names() -> None:
    assert [BindingStatus(n).name for n in (144, 145, 146)] == [
        "MESSAGE_IDENTIFIER_MISMATCH",
        "MESSAGE_IDENTIFIER_REQUIRED",
        "AUTHENTICATION_FAILED",
    ]


def test_the_end_of_the_era_is_no_end() -> None:
    end = 2**32 - 2_208_988_800.0
    here, there = mobile_node(), home_agent()
    for wall in (end - 1, end + 1, end + 3):
        verdict = there.verify(sent(here, wall=wall), NOW, wall)
        assert isinstance(verdict, Verified)
    early = sent(mobile_node(), wall=end - 1)
    assert status(there.verify(early, NOW, end + 3)) == 144


def test_ntp_time() -> None:
    assert ntp(0) == 2_208_988_800 << 32
    assert ntp(0.5) == 2_208_988_800 << 32 | 1 << 31
    assert ntp(2**32 - 2_208_988_800) == 0  # 2036: the next era


def test_octets_that_are_no_packet_are_not_sent() -> None:
    with pytest.raises(WireError):
        mobile_node().protect(b"", WALL)


def test_associations_are_replaced_and_timestamps_go_on() -> None:
    """A key that leaves is no longer known; what it had sent stays a replay."""
    new = replace(ASSOCIATION, key=Secret(bytes(16)), mobility_spi=0x4000)
    there, here = home_agent(), mobile_node()
    octets = sent(here)
    assert isinstance(there.verify(octets, NOW, WALL), Verified)
    there.replace((new, ASSOCIATION))
    assert status(there.verify(octets, NOW, WALL)) == 144
    later = sent(here, wall=WALL + 1)
    assert isinstance(there.verify(later, NOW, WALL + 1), Verified)
    # Until its answer is sent the key of the last update counts, then the new one.
    there.replace((new,))
    assert new.mobility_spi in {
        option.mobility_spi
        for option in options(sent(there, ACKNOWLEDGEMENT, WALL + 1))
        if isinstance(option, MobilityMessageAuthentication)
    }
    assert reason(there.verify(sent(here, wall=WALL + 2), NOW, WALL)) == "spi_unknown"
    with pytest.raises(ValueError, match="a mobility SPI twice"):
        there.replace((new, new))
    here.replace((new,))
    again = there.verify(sent(here, wall=WALL + 3), NOW, WALL + 3)
    assert isinstance(again, Verified)
