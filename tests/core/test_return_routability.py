"""What two nodes without a shared key compute; others' results are in tests/interop."""

import hmac

import pytest
from tests.support.correspondents import CARE_OF_ADDRESS, CORRESPONDENT, HOME_ADDRESS

from mip6.core.return_routability import (
    binding_management_key,
    is_signed,
    sign,
)
from mip6.wire.messages import BindingAcknowledgement, BindingUpdate, write_message
from mip6.wire.options import BindingAuthorizationData, NonceIndices

KEY = binding_management_key(b"home tkn", b"care tkn")
ENDS = (CARE_OF_ADDRESS, CORRESPONDENT)
UPDATE = BindingUpdate(sequence_number=1, lifetime=60, options=(NonceIndices(1, 2),))
ACKNOWLEDGEMENT = BindingAcknowledgement(status=0, sequence_number=1, lifetime=60)


@pytest.mark.rfc("5.2.5", "one key for both tokens, one for the home token alone")
def test_binding_management_key() -> None:
    assert len(KEY) == 20
    alone = binding_management_key(b"home tkn")
    assert alone == binding_management_key(b"home tkn", b"") != KEY
    assert alone != binding_management_key(b"care tkn")


@pytest.mark.rfc("6.2-1", "Binding Authorization Data is the last option")
@pytest.mark.parametrize("message", [UPDATE, ACKNOWLEDGEMENT])
def test_signed(message: BindingUpdate | BindingAcknowledgement) -> None:
    signed = sign(message, KEY, *ENDS)
    assert signed.options[:-1] == message.options
    assert isinstance(signed.options[-1], BindingAuthorizationData)
    octets = write_message(signed, HOME_ADDRESS, CORRESPONDENT)
    assert octets.endswith(signed.options[-1].authenticator)
    assert is_signed(signed, octets, KEY, *ENDS)
    assert not is_signed(signed, octets, KEY[:-1] + b"\0", *ENDS)
    assert not is_signed(signed, octets, KEY, HOME_ADDRESS, CORRESPONDENT)
    assert not is_signed(signed, octets, KEY, CARE_OF_ADDRESS, HOME_ADDRESS)
    assert not is_signed(signed, octets + bytes(8), KEY, *ENDS)


@pytest.mark.rfc("6.2.7", "as if the checksum were zero, and without itself")
@pytest.mark.parametrize("message", [UPDATE, ACKNOWLEDGEMENT])
def test_an_authenticator_by_hand(
    message: BindingUpdate | BindingAcknowledgement,
) -> None:
    octets = write_message(sign(message, KEY, *ENDS), HOME_ADDRESS, CORRESPONDENT)
    assert octets[4:6] != bytes(2)
    data = CARE_OF_ADDRESS.packed + CORRESPONDENT.packed
    data += octets[:4] + bytes(2) + octets[6:-12]
    assert octets[-12:] == hmac.new(KEY, data, "sha1").digest()[:12]


@pytest.mark.parametrize("message", [UPDATE, ACKNOWLEDGEMENT])
def test_not_signed(message: BindingUpdate | BindingAcknowledgement) -> None:
    octets = write_message(message, HOME_ADDRESS, CORRESPONDENT)
    assert not is_signed(message, octets, KEY, *ENDS)
