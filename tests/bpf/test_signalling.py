"""What of the signalling reaches the daemon: ESP by our SPIs, the rest in a budget."""

import time
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest
from tests.support.bench import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    DROP,
    HOME_ADDRESS,
    HOME_AGENT,
    OPEN,
    PASS,
    REDIRECT,
    Bench,
)
from tests.support.octets import (
    DESTINATION_OPTIONS,
    ESP,
    FRAGMENT,
    HOP_BY_HOP,
    ICMPV6,
    IPV6,
    MOBILITY,
    ROUTING,
    home_address_option,
    ipv6,
    mobility,
    options,
    routing,
)

from mip6.core.state import End
from mip6.linux import bpf, dataplane
from mip6.linux.dataplane import DataPlane
from mip6.linux.layout import MARK

pytestmark = pytest.mark.root

SPI, OTHER_SPI = 0x6001_0203, 0xC001_0203
SEALED = SPI.to_bytes(4) + bytes(60)
NOT_OURS = OTHER_SPI.to_bytes(4) + bytes(60)


def wrapped(esp: bytes) -> dict[str, bytes]:
    """ESP in all that may be around it."""
    option = home_address_option(ESP, HOME_ADDRESS)
    chains = {
        "bare": (ESP, esp),
        "home address option": (DESTINATION_OPTIONS, option + esp),
        "routing header": (ROUTING, routing(ESP, HOME_ADDRESS) + esp),
        "hop by hop": (HOP_BY_HOP, options(ESP) + esp),
    }
    return {
        name: ipv6(CARE_OF_ADDRESS, HOME_AGENT, *chain)
        for name, chain in chains.items()
    }


def esp_budget(bench: Bench, *, full_at: float) -> None:
    value = int(full_at * 1e9).to_bytes(8, "little")
    bench.data_plane.maps["spis"].update(SPI.to_bytes(4), value)


def now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.mark.parametrize("name", wrapped(SEALED))
@pytest.mark.rfc("5.1", "what ESP protects is looked at by who has the key")
def test_esp_by_our_spi_goes_whole_to_the_daemon(bench: Bench, name: str) -> None:
    bench.divert(HOME_AGENT)
    packet = wrapped(SEALED)[name]
    assert bench.arrive(packet).verdict == (DROP if "routing" in name else PASS)
    bench.data_plane.divert_esp({SPI})
    result = bench.arrive(packet)
    assert (result.verdict, result.packet, result.mark) == (REDIRECT, packet, MARK)
    assert result.counted == {"signalling": 1}


@pytest.mark.parametrize("name", ["bare", "home address option", "hop by hop"])
def test_all_other_esp_is_the_kernels(bench: Bench, name: str) -> None:
    """Who has a key for it opens it: IKE daemons, tunnels of the operator."""
    bench.divert(HOME_AGENT)
    bench.data_plane.divert_esp({SPI})
    packet = wrapped(NOT_OURS)[name]
    result = bench.arrive(packet)
    assert (result.verdict, result.packet, result.mark) == (PASS, packet, 0)
    forged = name == "home address option"
    assert result.counted == ({"unknown_spi": 1} if forged else {})


def test_our_spi_to_somebody_else_passes(bench: Bench) -> None:
    bench.divert(HOME_AGENT)
    bench.data_plane.divert_esp({SPI})
    for next_header, payload in (
        (ESP, SEALED),
        (DESTINATION_OPTIONS, home_address_option(ESP, HOME_ADDRESS) + SEALED),
    ):
        packet = ipv6(CARE_OF_ADDRESS, CORRESPONDENT, next_header, payload)
        result = bench.arrive(packet)
        assert (result.verdict, result.packet, result.counted) == (PASS, packet, {})


def test_esp_that_ends_before_its_spi(bench: Bench) -> None:
    bench.divert(HOME_AGENT)
    bench.data_plane.divert_esp({SPI})
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, ESP, SEALED[:3])
    assert bench.arrive(packet).verdict == PASS


def test_esp_inside_the_tunnel_is_data(bench: Bench) -> None:
    """A mobile node's own IPsec with the home agent may have any SPI."""
    bench.tunnel(End.HOME_AGENT)
    bench.divert(HOME_AGENT)
    bench.data_plane.divert_esp({SPI})
    inner = ipv6(HOME_ADDRESS, HOME_AGENT, ESP, SEALED)
    result = bench.arrive(ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6, inner))
    assert (result.verdict, result.packet, result.mark) == (REDIRECT, inner, 0)


def test_the_spis_are_exactly_those_said_last(bench: Bench) -> None:
    bench.data_plane.divert_esp({SPI, OTHER_SPI})
    esp_budget(bench, full_at=now() + 60)
    bench.data_plane.divert_esp({SPI, SPI + 1})
    entries = dict(bench.data_plane.maps["spis"].items())
    assert set(entries) == {SPI.to_bytes(4), (SPI + 1).to_bytes(4)}
    assert any(entries[SPI.to_bytes(4)]), "its budget goes on"


def test_each_spi_has_its_own_budget(bench: Bench) -> None:
    """A flood with an SPI seen on the way is one mobile node's trouble only."""
    bench.divert(HOME_AGENT)
    bench.data_plane.divert_esp({SPI, OTHER_SPI})
    start = now()
    passed = sum(
        bench.arrive(wrapped(SEALED)["bare"]).verdict == REDIRECT for _ in range(300)
    )
    limit = dataplane.ESP_BURST + dataplane.ESP_RATE * (now() - start) + 1
    assert dataplane.ESP_BURST <= passed <= limit
    esp_budget(bench, full_at=now() + 60)
    result = bench.arrive(wrapped(SEALED)["home address option"])
    assert (result.verdict, result.counted) == (DROP, {"dropped_esp": 1})
    assert bench.arrive(wrapped(NOT_OURS)["bare"]).verdict == REDIRECT


@pytest.fixture
def protected(bench: Bench) -> Iterator[Bench]:
    """A node whose bindings are changed in ESP only."""
    pins = bench.data_plane.pins
    with bench.namespace.entered():
        index = bench.device.index
        rate = dataplane.OPEN_RATE
        DataPlane.open(pins, device=index, bindings_max=64, open_rate=rate).close()
    yield bench
    with bench.namespace.entered():
        DataPlane.open(pins, device=index, bindings_max=64).close()


OPEN_SIGNALLING = {
    "binding update": ipv6(
        CARE_OF_ADDRESS,
        HOME_AGENT,
        DESTINATION_OPTIONS,
        home_address_option(MOBILITY, HOME_ADDRESS) + mobility(),
    ),
    "bare": ipv6(CARE_OF_ADDRESS, HOME_AGENT, MOBILITY, mobility()),
    "discovery": ipv6(CARE_OF_ADDRESS, HOME_AGENT, ICMPV6, bytes([144, 0]) + bytes(6)),
    "in a tunnel": ipv6(
        CORRESPONDENT,
        HOME_AGENT,
        IPV6,
        ipv6(HOME_ADDRESS, HOME_AGENT, MOBILITY, mobility()),
    ),
}


@pytest.mark.parametrize("name", OPEN_SIGNALLING)
def test_signalling_without_esp_is_limited(protected: Bench, name: str) -> None:
    protected.divert(HOME_AGENT)
    packet = OPEN_SIGNALLING[name]
    assert protected.arrive(packet).counted == {"signalling": 1}
    protected.full_again(OPEN, at=now() + 60)
    result = protected.arrive(packet)
    assert (result.verdict, result.counted) == (DROP, {"dropped_signalling": 1})
    # What is protected has nothing to do with it.
    protected.data_plane.divert_esp({SPI})
    assert protected.arrive(wrapped(SEALED)["bare"]).verdict == REDIRECT


def test_the_budget_of_signalling_without_esp(protected: Bench) -> None:
    protected.divert(HOME_AGENT)
    packet = OPEN_SIGNALLING["bare"]
    start = now()
    passed = sum(protected.arrive(packet).verdict == REDIRECT for _ in range(2000))
    limit = dataplane.OPEN_BURST + dataplane.OPEN_RATE * (now() - start) + 1
    assert dataplane.OPEN_BURST <= passed <= bpf.possible_cpus() * limit


@pytest.mark.parametrize("name", ["binding update", "bare", "in a tunnel"])
def test_whom_we_know_has_a_budget_of_its_own(protected: Bench, name: str) -> None:
    """Without ESP anybody's name can be forged: that one's share is gone then, and
    neither that of another nor that of all the others."""
    protected.divert(HOME_AGENT)
    packet = OPEN_SIGNALLING[name]
    peer = CARE_OF_ADDRESS if name == "bare" else HOME_ADDRESS
    protected.data_plane.know({IPv6Address(peer), IPv6Address(CORRESPONDENT)})
    protected.full_again(OPEN, at=now() + 60)
    start = now()
    passed = sum(protected.arrive(packet).verdict == REDIRECT for _ in range(300))
    limit = dataplane.ESP_BURST + dataplane.ESP_RATE * (now() - start) + 1
    assert dataplane.ESP_BURST <= passed <= limit
    full = round((now() + 60) * 1e9).to_bytes(8, "little")
    protected.data_plane.maps["known"].update(IPv6Address(peer).packed, full)
    result = protected.arrive(packet)
    assert (result.verdict, result.counted) == (DROP, {"dropped_signalling": 1})
    other = ipv6(CORRESPONDENT, HOME_AGENT, MOBILITY, mobility())
    assert protected.arrive(other).verdict == REDIRECT
    # Who stays known has no more than before; who is not any more is one of all.
    protected.data_plane.know({IPv6Address(peer)})
    assert protected.arrive(packet).verdict == DROP
    assert protected.arrive(other).verdict == DROP
    protected.data_plane.know(())


def test_where_nothing_comes_in_esp_all_signalling_does(bench: Bench) -> None:
    bench.divert(HOME_AGENT)
    packet = OPEN_SIGNALLING["bare"]
    passed = sum(bench.arrive(packet).verdict == REDIRECT for _ in range(1000))
    assert passed == 1000


def test_fragments_of_esp_are_the_kernels(bench: Bench) -> None:
    bench.divert(HOME_AGENT)
    bench.data_plane.divert_esp({SPI})
    head = bytes([ESP, 0, 0, 1]) + bytes(4)
    packet = ipv6(CARE_OF_ADDRESS, HOME_AGENT, FRAGMENT, head + SEALED)
    assert bench.arrive(packet).verdict == PASS
