"""Return routability (§5.2.5, §5.2.6): what two nodes that share no key compute.

The correspondent hands out two keygen tokens, one by way of the home address and one
straight to the care-of address; who got both can make the binding management key.
"""

import hashlib
import hmac
from ipaddress import IPv6Address

from mip6.wire.messages import CHECKSUM_OFFSET

AUTHENTICATOR_LENGTH = 12


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
    end = len(mobility_header) - AUTHENTICATOR_LENGTH
    octets = bytearray(mobility_header[:end])
    octets[CHECKSUM_OFFSET : CHECKSUM_OFFSET + 2] = bytes(2)
    data = care_of_address.packed + correspondent.packed + octets
    return hmac.digest(key, data, "sha1")[:AUTHENTICATOR_LENGTH]
