"""Return routability (§5.2.5, §5.2.6): what two nodes that share no key compute.

The correspondent hands out two keygen tokens, one by way of the home address and one
straight to the care-of address; who got both can make the binding management key.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address
from typing import TypeVar

from mip6.wire.messages import (
    CHECKSUM_OFFSET,
    BindingAcknowledgement,
    BindingUpdate,
    write_message_to_sign,
)
from mip6.wire.options import BindingAuthorizationData

AUTHENTICATOR_LENGTH = 12
TOKEN_LENGTH = 8
NO_CHECKSUM = bytes(2)
BLANK = BindingAuthorizationData(bytes(AUTHENTICATOR_LENGTH))
"""Its place, while the authenticator is not known."""


TokenFunction = Callable[[bytes, bytes], bytes]
"""From a node key and what is tested, the 8 octets of a keygen token."""


def keygen_token(node_key: bytes, tested: bytes) -> bytes:
    """First (64, HMAC_SHA1 (Kcn, tested)) of §5.2.5."""
    return hmac.digest(node_key, tested, "sha1")[:TOKEN_LENGTH]


def home_test(home_address: IPv6Address, nonce: bytes) -> bytes:
    """What a home keygen token is made of (§5.2.5)."""
    return home_address.packed + nonce + b"\0"


def care_of_test(care_of_address: IPv6Address, nonce: bytes) -> bytes:
    """What a care-of keygen token is made of (§5.2.5)."""
    return care_of_address.packed + nonce + b"\1"


def binding_management_key(
    home_keygen_token: bytes, care_of_keygen_token: bytes = b""
) -> bytes:
    """Kbm, of 20 octets (§5.2.5).

    A Binding Update that deletes the binding is signed with the home keygen token
    alone.
    """
    return hashlib.sha1(home_keygen_token + care_of_keygen_token).digest()


def authenticator(
    key: bytes,
    care_of_address: IPv6Address,
    correspondent: IPv6Address,
    mobility_header: bytes,
) -> bytes:
    """What the Binding Authorization Data option must hold (§6.2.7), of 12 octets.

    care_of_address: the one to be bound, or the home address if the binding is deleted.
    correspondent: its home address where it is mobile itself.
    mobility_header: whole, as received, the option last as §6.2.7 wants it; neither
        what the option holds nor the checksum plays a part.

    Compare in constant time: `hmac.compare_digest`.
    """
    data = b"".join(
        (
            care_of_address.packed,
            correspondent.packed,
            mobility_header[:CHECKSUM_OFFSET],
            NO_CHECKSUM,
            mobility_header[CHECKSUM_OFFSET + 2 : -AUTHENTICATOR_LENGTH],
        )
    )
    return hmac.digest(key, data, "sha1")[:AUTHENTICATOR_LENGTH]


Signed = TypeVar("Signed", bound=BindingUpdate | BindingAcknowledgement)


def sign(
    message: Signed,
    key: bytes,
    care_of_address: IPv6Address,
    correspondent: IPv6Address,
) -> Signed:
    """The message with Binding Authorization Data as its last option (§5.2.6); the
    arguments are those of `authenticator`."""
    options = message.options
    blank = replace(message, options=(*options, BLANK))
    proof = prove(blank, key, care_of_address, correspondent)
    return replace(message, options=(*options, proof))


def prove(
    blank: BindingUpdate | BindingAcknowledgement,
    key: bytes,
    care_of_address: IPv6Address,
    correspondent: IPv6Address,
) -> BindingAuthorizationData:
    """What belongs in the place of BLANK, the last option of a message; the arguments
    are those of `authenticator`."""
    octets = write_message_to_sign(blank)
    value = authenticator(key, care_of_address, correspondent, octets)
    return BindingAuthorizationData(value)


def is_signed(
    message: BindingUpdate | BindingAcknowledgement,
    mobility_header: bytes,
    key: bytes,
    care_of_address: IPv6Address,
    correspondent: IPv6Address,
) -> bool:
    """Whether the message ends, with no padding behind, in the right authenticator
    (§9.5.1); the arguments are those of `authenticator`."""
    last = message.options[-1] if message.options else None
    if not isinstance(last, BindingAuthorizationData):
        return False
    if not mobility_header.endswith(last.write()):
        return False
    expected = authenticator(key, care_of_address, correspondent, mobility_header)
    return hmac.compare_digest(expected, last.authenticator)
