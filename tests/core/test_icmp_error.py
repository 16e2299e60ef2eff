"""About what an ICMPv6 error may be sent (RFC 4443 §2.4)."""

from ipaddress import IPv6Address
from typing import Any

import pytest
from tests.support.core import CORRESPONDENT, HOME_ADDRESS

from mip6.core.icmp_error import may_be_reported
from mip6.wire.packet import FragmentHeader, IPv6Packet

ALL_NODES = IPv6Address("ff02::1")


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({}, True),
        ({"source": ALL_NODES}, False),
        ({"source": IPv6Address("::")}, False),
        ({"source": IPv6Address("::1")}, False),
        ({"destination": ALL_NODES}, False),
        (
            {"extensions": (FragmentHeader(offset=0, more=True, identification=1),)},
            True,
        ),
        (
            {"extensions": (FragmentHeader(offset=8, more=False, identification=1),)},
            False,
        ),
        ({"next_header": 58, "payload": b""}, False),
        ({"next_header": 58, "payload": bytes((1, 0))}, False),
        ({"next_header": 58, "payload": bytes((127, 0))}, False),
        ({"next_header": 58, "payload": bytes((128, 0))}, True),
        ({"next_header": 58, "payload": bytes((137, 0))}, False),
        ({"next_header": 58, "payload": bytes((138, 0))}, True),
    ],
)
def test_what_may_be_reported(changes: dict[str, Any], reported: bool) -> None:
    fields: dict[str, Any] = {
        "source": CORRESPONDENT,
        "destination": HOME_ADDRESS,
        "next_header": 17,
        "payload": bytes(8),
        **changes,
    }
    assert may_be_reported(IPv6Packet(**fields)) is reported
