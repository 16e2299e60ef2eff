"""Numbers that come from a standard, once more, with where they stand there."""

from types import ModuleType

import pytest

from mip6.core import (
    address_test,
    agent_discovery,
    binding_cache,
    binding_update_list,
    correspondent,
    direct_errors,
    duplicates,
    holding,
    home_link,
    home_registrations,
    homes,
    icmp_error,
    joined,
    movement,
    neighbor_discovery,
    nonces,
    path_mtu,
    prefix_delivery,
    prefix_solicitation,
    registration,
    return_routability,
    revocations,
    router,
    tunnel_errors,
    tunnel_probe,
)
from mip6.core.link import Link
from mip6.core.packet import Packet
from mip6.core.registration import ADVICE
from mip6.core.state import Route, Rule
from mip6.wire.messages import BindingStatus


@pytest.mark.parametrize(
    ("module", "name", "wanted"),
    [
        (registration, "INITIAL_BINDACK_TIMEOUT_FIRST", 1.5),  # §13
        (home_registrations, "REFUSAL_MAX", 1.0),
        (joined, "REFUSAL_MAX", 1.0),
        (movement, "MISSED_MAX", 3),  # §11.5.1
        (movement, "CONFLICTS_MAX", 3),  # IDGEN_RETRIES, RFC 7217 §7
        (duplicates, "RETRANS_TIMER", 1.0),  # RFC 4861 §10
        (home_link, "CHECK_TIME", 1.0),
        (home_link, "ADVERTISED_TIMES", 3),  # MAX_NEIGHBOR_ADVERTISEMENT
        (home_link, "ADVERTISED_EVERY", 1.0),
        (neighbor_discovery, "HOP_LIMIT", 255),
        (homes, "IDENTIFIER_LENGTH", 64),  # RFC 4291 §2.5.1
        (revocations, "RETRIES_MAX", 1),  # RFC 5846 §11
        (revocations, "DELAY", 1.0),
    ],
)
def test_values(module: ModuleType, name: str, wanted: float) -> None:
    assert getattr(module, name) == wanted


@pytest.mark.parametrize(
    ("module", "name", "wanted"),
    [
        (agent_discovery, "DHAAD_RETRIES", 4),
        (registration, "INITIAL_BINDACK_TIMEOUT", 1.0),
        (agent_discovery, "INITIAL_DHAAD_TIMEOUT", 3.0),
        (prefix_solicitation, "INITIAL_SOLICIT_TIMER", 3.0),
        (registration, "MAX_BINDACK_TIMEOUT", 32.0),
        (binding_cache, "MAX_DELETE_BCE_TIMEOUT", 10),
        (nonces, "MAX_NONCE_LIFETIME", 240.0),
        (address_test, "MAX_TOKEN_LIFETIME", 210.0),
        (address_test, "MAX_RO_FAILURE", 3),
        (correspondent, "MAX_RR_BINDING_LIFETIME", 420),
        (registration, "MAX_UPDATE_RATE", 3),
        (prefix_delivery, "PREFIX_ADV_RETRIES", 3),
        (prefix_delivery, "PREFIX_ADV_TIMEOUT", 3.0),
        # §13: MinMobPfxAdvInterval, MaxMobPfxAdvInterval.
        (prefix_delivery, "INTERVAL_MIN", 600.0),
        (prefix_delivery, "INTERVAL_MAX", 86_400.0),
        # One a second: §6.8, §11.8.
        (prefix_delivery, "APART_MIN", 1.0),
        (prefix_solicitation, "APART", 1.0),
        (prefix_solicitation, "SHARE", 0.75),
        (agent_discovery, "APART", 1.0),
    ],
)
def test_protocol_constants(module: ModuleType, name: str, wanted: float) -> None:
    """RFC 6275 §12."""
    assert getattr(module, name) == wanted


@pytest.mark.parametrize(
    ("module", "name", "wanted"),
    [
        (router, "INTERVAL_MAX", 600.0),  # RFC 4861 §6.2.1
        (router, "ADVERTISED_LIFETIME_MAX", 9000),
        (router, "MIN_DELAY_BETWEEN_RAS", 3.0),  # RFC 4861 §10
        (router, "MAX_RA_DELAY_TIME", 0.5),
        (router, "MAX_INITIAL_RTR_ADVERT_INTERVAL", 16.0),
        (router, "MAX_INITIAL_RTR_ADVERTISEMENTS", 3),
        (router, "INTERVAL_MAX_LEAST", 0.07),  # RFC 6275 §7.5
        (router, "INTERVAL_MIN_LEAST", 0.03),
        (router, "SCHEDULING_ALLOWANCE", 20),
        (router, "SHORT_INTERVAL", 200),
    ],
)
def test_values_of_routers(module: ModuleType, name: str, wanted: float) -> None:
    assert getattr(module, name) == wanted


@pytest.mark.parametrize(
    ("module", "name", "wanted"),
    [
        (path_mtu, "MTU_MIN", 1280),  # RFC 8200 §5
        (path_mtu, "MTU_LIFETIME", 600.0),  # RFC 8201 §4
        (path_mtu, "OVERHEAD", 40),
        (path_mtu, "EXTENSION", 24),  # RFC 6275 §6.3, §6.4
        (direct_errors, "HOME_ADDRESS_OPTION", 24),
        (direct_errors, "ROUTING_HEADER", 24),
        (icmp_error, "QUOTED_MAX", 1280 - 48),  # RFC 4443 §2.4 (c)
        (icmp_error, "INFORMATIONAL", 128),  # RFC 4443 §2.1
        (icmp_error, "REDIRECT", 137),  # RFC 4861 §4.5
        (holding, "ADDRESS_UNREACHABLE", 3),  # RFC 4443 §3.1
        (tunnel_errors, "ADDRESS_UNREACHABLE", 3),
        (correspondent, "PORT_UNREACHABLE", 4),
        (tunnel_errors, "HOP_LIMIT_EXCEEDED", 0),  # RFC 4443 §3.3
        (binding_update_list, "UNRECOGNIZED_NEXT_HEADER", 1),  # RFC 4443 §3.4
        (binding_update_list, "UNRECOGNIZED_OPTION", 2),
        (tunnel_probe, "ECHO_REQUEST", 128),  # RFC 4443 §4
        (tunnel_probe, "ECHO_REPLY", 129),
        (nonces, "KEY_LENGTH", 20),  # RFC 6275 §5.2.1
        (nonces, "NONCE_LENGTH", 8),  # §5.2.2
        (return_routability, "AUTHENTICATOR_LENGTH", 12),  # §6.2.7
        (return_routability, "TOKEN_LENGTH", 8),  # §5.2.5
    ],
)
def test_lengths_and_numbers_on_the_wire(
    module: ModuleType, name: str, wanted: float
) -> None:
    assert getattr(module, name) == wanted


def test_main_table_is_where_routes_go() -> None:
    assert Route.__dataclass_fields__["table"].default == 254  # RT_TABLE_MAIN
    assert Route.__dataclass_fields__["metric"].default == 1024  # IP6_RT_PRIO_USER


def test_a_rule_is_for_all_packets_and_every_route() -> None:
    for name in ("suppress_default", "own_only"):
        assert Rule.__dataclass_fields__[name].default is False


def test_a_link_is_ethernet_unless_it_says() -> None:
    assert Link.__dataclass_fields__["mtu"].default == 1500  # RFC 2464 §2


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
