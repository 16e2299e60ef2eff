"""The captured Binding Authorization Data, from the tokens in the captures."""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.support.captures import (
    AT_B,
    CORRESPONDENT,
    HOME_ADDRESS,
    Message,
    messages,
)

from mip6.core.return_routability import authenticator, binding_management_key
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    CareOfTest,
    HomeTest,
)
from mip6.wire.options import BindingAuthorizationData, NonceIndices, Option

PHASES = ("rr-cnbind", "refresh", "movement", "return-home")
"""One run of the other implementation: nonces and tokens of one phase are used in the
next, and `refresh` and `return-home` have no tests of their own."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A message with its authenticator, and the tokens that should have made it."""

    message: Message
    found: bytes
    home_keygen_token: bytes
    care_of_keygen_token: bytes

    @property
    def deletes(self) -> bool:
        content = self.message.packet.message
        assert isinstance(content, BindingUpdate | BindingAcknowledgement)
        return content.lifetime == 0

    def verifies(self, key: bytes) -> bool:
        """The care-of address is at the end that is not the correspondent's; it is the
        home address where that is where the mobile node is (§6.2.7)."""
        packet = self.message.packet
        ends = {packet.source, packet.destination}
        (care_of_address,) = ends - {CORRESPONDENT}
        expected = authenticator(
            key, care_of_address, CORRESPONDENT, self.message.octets
        )
        return hmac.compare_digest(expected, self.found)


def one(options: tuple[Option, ...], kind: type[Option]) -> Option | None:
    return next((option for option in options if isinstance(option, kind)), None)


def signed(place: str) -> Iterator[Signed]:
    """All that is signed, in the order it passed `place`."""
    home: dict[int, bytes] = {}
    care_of: dict[int, bytes] = {0: b""}
    used: dict[int, tuple[bytes, bytes]] = {}
    for message in (m for phase in PHASES for m in messages(f"{phase}-{place}")):
        content = message.packet.message
        if isinstance(content, HomeTest):
            home[content.home_nonce_index] = content.home_keygen_token
        elif isinstance(content, CareOfTest):
            care_of[content.care_of_nonce_index] = content.care_of_keygen_token
        elif isinstance(content, BindingUpdate | BindingAcknowledgement):
            data = one(content.options, BindingAuthorizationData)
            if not isinstance(data, BindingAuthorizationData):
                continue
            assert data is content.options[-1]
            indices = one(content.options, NonceIndices)
            if isinstance(indices, NonceIndices):
                used[content.sequence_number] = (
                    home[indices.home_nonce_index],
                    care_of[indices.care_of_nonce_index],
                )
            # An acknowledgement is signed with the key of its update.
            tokens = used[content.sequence_number]
            yield Signed(message, data.authenticator, *tokens)


@pytest.mark.parametrize("place", ["mn", "cn"])
@pytest.mark.rfc("5.2.6", "the authenticator of another implementation verifies")
@pytest.mark.rfc("6.2.7", "what the authenticator covers")
def test_authenticators(place: str) -> None:
    verified = []
    for found in signed(place):
        content = found.message.packet.message
        both = binding_management_key(
            found.home_keygen_token, found.care_of_keygen_token
        )
        right = binding_management_key(found.home_keygen_token)
        key = right if found.deletes else both
        assert not found.verifies(binding_management_key(b"another!"))
        if found.verifies(key):
            verified.append((type(content).__name__, content.sequence_number))  # type: ignore[union-attr]
    assert verified == [
        ("BindingUpdate", 47256),
        ("BindingAcknowledgement", 47256),
        ("BindingUpdate", 47263),
        ("BindingAcknowledgement", 47263),
        ("BindingUpdate", 47265),
        ("BindingAcknowledgement", 47265),
    ]


@pytest.mark.rfc("5.2.5", "what deletes is signed with the home keygen token alone")
@pytest.mark.parametrize("place", ["mn", "cn"])
def test_deletions_signed_with_both_tokens_do_not_verify(place: str) -> None:
    """One update and its four retransmissions: nobody acknowledged them either."""
    wrong = []
    for found in signed(place):
        key = binding_management_key(found.home_keygen_token)
        if found.deletes and not found.verifies(key):
            both = binding_management_key(
                found.home_keygen_token, found.care_of_keygen_token
            )
            assert found.verifies(both)
            assert found.message.packet.source == AT_B
            assert found.message.packet.home_address == HOME_ADDRESS
            content = found.message.packet.message
            assert isinstance(content, BindingUpdate)
            wrong.append(content.sequence_number)
    assert wrong == [47257, 47258, 47259, 47260, 47261]


@pytest.mark.parametrize("place", ["mn", "cn"])
def test_every_octet_of_the_message_counts(place: str) -> None:
    """All but the checksum and the authenticator itself."""
    found = next(signed(place))
    key = binding_management_key(found.home_keygen_token, found.care_of_keygen_token)
    octets = found.message.octets
    addresses = (AT_B, CORRESPONDENT)
    right = authenticator(key, *addresses, octets)
    assert right == found.found
    for at in range(len(octets)):
        changed = bytearray(octets)
        changed[at] ^= 1
        same = authenticator(key, *addresses, bytes(changed)) == right
        assert same == (at in (4, 5) or at >= len(octets) - 12), at
    assert authenticator(key, HOME_ADDRESS, CORRESPONDENT, octets) != right
    assert authenticator(key, AT_B, HOME_ADDRESS, octets) != right
