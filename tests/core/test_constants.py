"""Numbers that come from a standard, once more, with where they stand there."""

import pytest

from mip6.core import binding_cache, home_registrations, movement, registration
from mip6.core.packet import Packet
from mip6.core.registration import ADVICE
from mip6.core.state import Route
from mip6.wire.messages import BindingStatus


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (registration.INITIAL_BINDACK_TIMEOUT, 1.0),  # RFC 6275 §12
        (registration.INITIAL_BINDACK_TIMEOUT_FIRST, 1.5),  # §13
        (registration.MAX_BINDACK_TIMEOUT, 32.0),  # §12
        (registration.MAX_UPDATE_RATE, 3),  # §12
        (binding_cache.MAX_DELETE_BCE_TIMEOUT, 10),  # §12
        (movement.MISSED_MAX, 3),  # §11.5.1
        (movement.CONFLICTS_MAX, 3),  # IDGEN_RETRIES, RFC 7217 §7
        (home_registrations.REFUSAL_MAX, 1.0),
    ],
)
def test_values(value: float, wanted: float) -> None:
    assert value == wanted


def test_main_table_is_where_routes_go() -> None:
    assert Route.__dataclass_fields__["table"].default == 254  # RT_TABLE_MAIN
    assert Route.__dataclass_fields__["metric"].default == 1024  # IP6_RT_PRIO_USER


def test_packets_leave_with_the_usual_hop_limit() -> None:
    assert Packet.__dataclass_fields__["hop_limit"].default == 64  # RFC 8200, IANA


@pytest.mark.rfc("6.1.8", "each status that refuses has words for the operator")
def test_every_refusal_has_its_advice() -> None:
    """But 135, which the mobile node follows, those of correspondents (136 to 138) and
    of home agents for mobile routers (140 to 143)."""
    refusals = {status.value for status in BindingStatus if status >= 128}
    assert set(ADVICE) == refusals - {*range(135, 139), *range(140, 144)}
    assert "home subnet" in ADVICE[132][0]
    assert "not the home agent" in ADVICE[133][0]
    assert "another node" in ADVICE[134][0]
