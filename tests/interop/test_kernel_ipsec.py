"""Our daemons with manual security associations, and on the other side the kernel's
own IPsec and Mobile IPv6 (xfrm: ESP, the Home Address option, the type 2 routing
header), as another implementation configures it.

What that is: the ESP, the order of headers, selectors, padding and checksums of a
second implementation, both ways, with real packets.  What it is not: that
implementation's daemon.  Its Binding Updates and Acknowledgements are octets of our own
`wire` here, sent and read by a raw socket behind the kernel's ESP.
"""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.support.attacker import listening
from tests.support.daemons import HOME_ADDRESS, HOME_AGENT, World, small_world, until
from tests.support.namespaces import Namespace

from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingUpdate,
    read_message,
    write_message,
)
from mip6.wire.options import AlternateCareOfAddress

pytestmark = [pytest.mark.root, pytest.mark.second_kernel]

MOBILITY = 135
CARE_OF_ADDRESS = "2001:db8:b::64"
UPDATE, ACKNOWLEDGEMENT = 5, 6
"""Types of Mobility Header; each has its association."""
MODULES = (
    *("esp6", "mip6", "xfrm_user", "authenc", "cbc", "ecb"),
    *("hmac", "sha1_generic", "sha256_generic"),
)


@dataclass(frozen=True)
class Algorithms:
    """The names of both sides for the same."""

    integrity: str
    encryption: str
    kernel_integrity: str
    kernel_encryption: str
    integrity_octets: int
    encryption_octets: int

    def keys(self, number: int) -> tuple[str, str]:
        """In hexadecimal; others for each direction."""
        integrity = bytes(range(number, number + self.integrity_octets)).hex()
        encryption = bytes(range(number + 64, number + 64 + self.encryption_octets))
        return integrity, encryption.hex()

    def state(self, number: int) -> str:
        integrity, encryption = self.keys(number)
        octets = f"0x{encryption}" if encryption else '""'
        name, bits = self.kernel_integrity.split()
        return (
            f'auth-trunc "{name}" 0x{integrity} {bits} '
            f'enc "{self.kernel_encryption}" {octets}'
        )


CHOICES = [
    Algorithms("hmac-sha1-96", "aes-cbc", "hmac(sha1) 96", "cbc(aes)", 20, 16),
    Algorithms("hmac-sha1-96", "null", "hmac(sha1) 96", "ecb(cipher_null)", 20, 0),
    Algorithms("hmac-sha2-256-128", "aes-cbc", "hmac(sha256) 128", "cbc(aes)", 32, 32),
]
SPIS = {UPDATE: 0x2000, ACKNOWLEDGEMENT: 0x2001}


@pytest.fixture(scope="module", autouse=True)
def kernel() -> None:
    for module in MODULES:
        subprocess.run(["modprobe", "-q", module], check=False, capture_output=True)
    if not Path("/sys/module/mip6").exists():
        # The second kernel has it; there the reason is another one.
        assert "User Mode Linux" not in Path("/proc/cpuinfo").read_text()
        pytest.skip("this kernel has no CONFIG_IPV6_MIP6")


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with small_world(tmp_path_factory.mktemp("ipsec")) as made:
        yield made


def configured(world: World, algorithms: Algorithms) -> None:
    """Both of our files, with the keys that the kernel gets on the other side."""
    for kind in SPIS:
        file = world.directory / f"{kind}.key"
        file.write_text("".join(f"{key}\n" for key in algorithms.keys(kind) if key))
        file.chmod(0o600)
    pair = f"""
integrity = "{algorithms.integrity}"
encryption = "{algorithms.encryption}"
to_home_agent = {{ spi = {SPIS[UPDATE]}, key = "{UPDATE}.key" }}
to_mobile_node = {{ spi = {SPIS[ACKNOWLEDGEMENT]}, key = "{ACKNOWLEDGEMENT}.key" }}
"""
    for instance, table in (
        (world.home_agent, f'[home_agent.mobile_nodes."{HOME_ADDRESS}".binding]'),
        (world.mobile_node, "[mobile_node.binding]"),
    ):
        head = instance.file.read_text().replace('"shared_key"', '"manual"')
        head = head.replace('key = "laptop.key"\n', "")
        head = head.partition("[home_agent.mobile_nodes")[0]
        head = head.partition("[mobile_node.binding")[0]
        instance.file.write_text(head + table + pair)


def ipsec(place: Namespace, algorithms: Algorithms, *, mobile_node: bool) -> None:
    """The states and policies of one side (RFC 3776 §5.2): ESP in transport mode as
    main policies; Home Address option and routing header as sub policies beside."""
    place.run("ip xfrm state flush")
    place.run("ip xfrm policy flush ptype main")
    place.run("ip xfrm policy flush ptype sub")
    there = f"src {HOME_ADDRESS} dst {HOME_AGENT}"
    back = f"src {HOME_AGENT} dst {HOME_ADDRESS}"
    coa = CARE_OF_ADDRESS if mobile_node else "::"
    for way, kind in ((there, UPDATE), (back, ACKNOWLEDGEMENT)):
        place.run(
            f"ip xfrm state add {way} proto esp spi {SPIS[kind]} mode transport "
            f"{algorithms.state(kind)} sel {way} proto {MOBILITY}"
        )
    place.run(f"ip xfrm state add {there} proto hao mode ro coa {coa}")
    if mobile_node:
        place.run(f"ip xfrm state add {back} proto route2 mode ro coa {coa}")
    for way, kind, extension in (
        (there, UPDATE, "hao"),
        (back, ACKNOWLEDGEMENT, "route2"),
    ):
        outwards = (kind == UPDATE) == mobile_node
        policy = (
            f"ip xfrm policy add {way} proto {MOBILITY} type {kind} "
            f"dir {'out' if outwards else 'in'}"
        )
        place.run(f"{policy} ptype sub tmpl {way} proto {extension} mode ro")
        place.run(f"{policy} tmpl {way} proto esp mode transport")


@contextlib.contextmanager
def raw(place: Namespace, address: str) -> Iterator[socket.socket]:
    """Mobility Headers, behind the kernel's ESP."""
    with place.entered():
        made = socket.socket(socket.AF_INET6, socket.SOCK_RAW, MOBILITY)
        made.bind((address, 0))
    made.settimeout(10)
    with made:
        yield made


def update(number: int, lifetime: int = 400) -> bytes:
    care_of_address = IPv6Address(CARE_OF_ADDRESS)
    message = BindingUpdate(
        sequence_number=number,
        lifetime=lifetime,
        acknowledge=True,
        home_registration=True,
        options=(AlternateCareOfAddress(care_of_address),),
    )
    return write_message(message, IPv6Address(HOME_ADDRESS), IPv6Address(HOME_AGENT))


@pytest.mark.rfc("5.1", "a Binding Update in another implementation's ESP is accepted")
def test_our_home_agent_and_a_mobile_node_of_the_kernels(small: World) -> None:
    mobile = small.mobile
    mobile.sysctl("eth0.accept_ra=0")
    small.plug("visited")
    mobile.ip(f"address add {CARE_OF_ADDRESS}/64 dev eth0 nodad")
    mobile.ip(f"address add {HOME_ADDRESS}/128 dev lo nodad home")
    mobile.ip("route add default via 2001:db8:b::1")
    until(lambda: mobile.run("ping -c1 -W1 2001:db8:a::1", check=False), "a way")
    configured(small, CHOICES[0])
    small.home_agent.start()
    with raw(mobile, HOME_ADDRESS) as mobility, listening(small.router, "visited") as e:
        for number, algorithms in enumerate(CHOICES, 1):
            configured(small, algorithms)
            assert small.home_agent.call("reload").returncode == 0
            ipsec(mobile, algorithms, mobile_node=True)
            for sequence_number, lifetime in ((2 * number, 400), (2 * number + 1, 0)):
                octets = update(sequence_number, lifetime)
                mobility.sendto(octets, (HOME_AGENT, 0))
                answer = read_message(mobility.recv(2000))
                assert isinstance(answer, BindingAcknowledgement)
                assert (answer.status, answer.lifetime) == (0, lifetime), algorithms
                assert answer.sequence_number == sequence_number
                [sent] = e.esp(HOME_AGENT)
                assert sent[8:24] == IPv6Address(CARE_OF_ADDRESS).packed
                assert (octets in sent) == (algorithms.encryption == "null")
                found = small.home_agent.read("bindings")["bindings"]
                addresses = [binding["care_of_address"] for binding in found]
                assert addresses == ([CARE_OF_ADDRESS] if lifetime else [])
    dropped = small.home_agent.read("stats")["dropped"]
    assert not {"authentication_failed", "spi_unknown", "unprotected"} & dropped.keys()


@pytest.mark.rfc("10.3.1", "and an Acknowledgement in its ESP by the mobile node")
@pytest.mark.parametrize("algorithms", CHOICES[2:], ids=lambda a: a.integrity)
def test_our_mobile_node_and_a_home_agent_of_the_kernels(
    small: World, algorithms: Algorithms
) -> None:
    configured(small, algorithms)
    ipsec(small.agent, algorithms, mobile_node=False)
    back = f"src {HOME_AGENT} dst {HOME_ADDRESS}"
    with raw(small.agent, HOME_AGENT) as mobility:
        small.mobile_node.start()
        small.plug("visited")
        octets, (peer, *_) = mobility.recvfrom(2000)
        asked = read_message(octets)
        # The kernel has put the home address in the place of the care-of address.
        assert peer == HOME_ADDRESS
        assert isinstance(asked, BindingUpdate) and asked.home_registration
        [option] = asked.options
        assert isinstance(option, AlternateCareOfAddress)
        coa = option.care_of_address
        small.agent.run(f"ip xfrm state add {back} proto route2 mode ro coa {coa}")
        answer = BindingAcknowledgement(
            status=0, sequence_number=asked.sequence_number, lifetime=asked.lifetime
        )
        sent = write_message(answer, IPv6Address(HOME_AGENT), IPv6Address(HOME_ADDRESS))
        mobility.sendto(sent, (HOME_ADDRESS, 0))
        until(lambda: small.mobile_node.place() == "registered", "registered")
    status = small.mobile_node.read("status")["mobile_node"]
    assert status["care_of_address"] == str(coa)
    dropped = small.mobile_node.read("stats")["dropped"]
    assert not {"authentication_failed", "spi_unknown", "unprotected"} & dropped.keys()
