"""Figure "Mobile IP" with the data plane alone: no daemon, tunnels put by the test.

correspondent --- router --- home agent (home link 2001:db8:a::/64)
                     |
                mobile node, away on 2001:db8:b::/64
"""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

from mip6.core.state import CORRESPONDENT_TABLE, End, RouteOptimization, Tunnel
from mip6.linux.dataplane import DataPlane
from mip6.linux.tun import Device

from .namespaces import Namespace, connect, namespaces

HOME_ADDRESS = "2001:db8:a::100"
HOME_AGENT = "2001:db8:a::2"
CARE_OF_ADDRESS = "2001:db8:b::2"
CORRESPONDENT = "2001:db8:c::2"
OTHER_HOME_ADDRESS = "2001:db8:a::200"
MTU = 1452


@dataclass(slots=True)
class Node:
    """A namespace with a mobility device and a data plane."""

    namespace: Namespace
    device: Device
    data_plane: DataPlane

    def counted(self, reason: str) -> int:
        return self.data_plane.counters()[reason]

    def device_mtu(self, mtu: int) -> None:
        with self.namespace.entered():
            self.device.set_mtu(mtu)

    def reopen(self) -> None:
        """As a daemon that starts again after `close`."""
        pins = self.data_plane.pins
        with self.namespace.entered():
            self.device = Device.open("mip0", mtu=MTU)
            self.data_plane = DataPlane.open(pins, device=self.device.index)
            self.data_plane.attach_device(self.device.index)
            self.data_plane.attach_link(socket.if_nametoindex("eth0"))


@contextlib.contextmanager
def node(namespace: Namespace) -> Iterator[Node]:
    """The data plane on `mip0` and `eth0` of `namespace`."""
    pins = Path("/sys/fs/bpf/mip6", namespace.name)
    with namespace.entered():
        device = Device.open("mip0", mtu=MTU)
        data_plane = DataPlane.open(pins, device=device.index)
        data_plane.attach_device(device.index)
        data_plane.attach_link(socket.if_nametoindex("eth0"))
    made = Node(namespace, device, data_plane)
    try:
        yield made
    finally:
        made.data_plane.close()
        made.device.close()
        with namespace.entered():
            DataPlane.remove(pins)


def tunnel(
    end: End,
    *,
    home_address: str = HOME_ADDRESS,
    care_of_address: str = CARE_OF_ADDRESS,
    lifetime: float = 300,
) -> Tunnel:
    return Tunnel(
        end=end,
        home_address=IPv6Address(home_address),
        care_of_address=IPv6Address(care_of_address),
        home_agent=IPv6Address(HOME_AGENT),
        expires=time.clock_gettime(time.CLOCK_BOOTTIME) + lifetime,
    )


def direct(
    end: End,
    *,
    home_address: str = HOME_ADDRESS,
    care_of_address: str = CARE_OF_ADDRESS,
    correspondent: str = CORRESPONDENT,
    lifetime: float = 300,
    inbound_only: bool = False,
) -> RouteOptimization:
    return RouteOptimization(
        end=end,
        home_address=IPv6Address(home_address),
        correspondent=IPv6Address(correspondent),
        care_of_address=IPv6Address(care_of_address),
        expires=time.clock_gettime(time.CLOCK_BOOTTIME) + lifetime,
        inbound_only=inbound_only,
    )


@dataclass(frozen=True, slots=True)
class Network:
    correspondent: Namespace
    router: Namespace
    home_agent: Node
    mobile_node: Node

    def register(self, lifetime: float = 300) -> None:
        self.home_agent.data_plane.put(tunnel(End.HOME_AGENT, lifetime=lifetime))
        self.mobile_node.data_plane.put(tunnel(End.MOBILE_NODE, lifetime=lifetime))

    @property
    def nodes(self) -> tuple[Node, Node]:
        return self.home_agent, self.mobile_node


@contextlib.contextmanager
def places() -> Iterator[tuple[Namespace, Namespace, Namespace, Namespace]]:
    """Correspondent, router, home agent and mobile node of the figure, with addresses
    and default routes, and nothing of Mobile IPv6 yet."""
    with namespaces("correspondent", "router", "agent", "mobile") as made:
        correspondent, router, agent, mobile = made
        for place, prefix in ((correspondent, "c"), (agent, "a"), (mobile, "b")):
            connect(router, f"to-{prefix}", place, "eth0")
            router.ip(f"address add 2001:db8:{prefix}::1/64 dev to-{prefix} nodad")
            place.ip(f"address add 2001:db8:{prefix}::2/64 dev eth0 nodad")
            place.ip(f"route add default via 2001:db8:{prefix}::1")
        router.sysctl("all.forwarding=1")
        agent.sysctl("all.forwarding=1", "eth0.proxy_ndp=1")
        agent.run("sysctl -qw net.ipv6.neigh.eth0.proxy_delay=0")
        yield correspondent, router, agent, mobile


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Everything of the figure, with routes; no tunnel yet."""
    with (
        places() as (correspondent, router, agent, mobile),
        node(agent) as home_agent,
        node(mobile) as mobile_node,
    ):
        serve_home_address(agent, HOME_ADDRESS)
        carry_home_address(mobile, HOME_ADDRESS, CARE_OF_ADDRESS)
        yield Network(correspondent, router, home_agent, mobile_node)


def serve_home_address(agent: Namespace, home_address: str) -> None:
    agent.ip(f"neighbor add proxy {home_address} dev eth0")
    agent.ip(f"route add {home_address}/128 dev mip0")


def carry_home_address(mobile: Namespace, home_address: str, care_of: str) -> None:
    """Address, rules and routes as a mobile node has them away from home."""
    mobile.ip(f"address add {home_address}/128 dev mip0 nodad")
    mobile.ip(f"rule add priority 999 from {home_address} lookup 100")
    mobile.ip(f"rule add priority 1000 from {care_of} lookup main")
    mobile.ip("rule add priority 1001 lookup main suppress_prefixlength 0")
    mobile.ip("rule add priority 1002 lookup 100")
    mobile.ip(f"route add default dev mip0 src {home_address} table 100")


def be_correspondent(place: Namespace, home_address: str) -> None:
    """The rule and the route of a correspondent of this mobile node."""
    table = CORRESPONDENT_TABLE
    place.ip(f"rule add priority 998 iif lo dport 1-65534 lookup {table}")
    place.ip(f"route replace {home_address}/128 dev mip0 table {table}")


def udp_socket(place: Namespace, address: str, *, timeout: float = 2) -> socket.socket:
    with place.entered():
        made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        made.settimeout(timeout)
        made.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        made.bind((address, 0))
    return made


def send_raw(place: Namespace, packet: bytes) -> None:
    """A whole IPv6 packet, out of eth0 whatever the routes say."""
    with place.entered(), raw_socket() as raw:
        raw.sendto(packet, (str(IPv6Address(packet[24:40])), 0))


def raw_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    return made


def read_all(node: Node, name: str, *, seconds: float = 0.3) -> list[bytes]:
    """What comes out of a queue of the device until it stays empty for `seconds`."""
    queue = getattr(node.device, name)
    packets: list[bytes] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if got := list(node.device.read(queue)):
            packets += got
            end = time.monotonic() + seconds
        time.sleep(0.005)
    return packets
