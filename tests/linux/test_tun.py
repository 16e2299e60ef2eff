"""The mobility device: making it, taking it over, being refused."""

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.namespaces import Namespace, connect, namespaces
from tests.support.octets import IPV6, UDP, checksum, ipv6, udp
from tests.support.roaming import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    tunnel,
)

from mip6.core.state import End
from mip6.linux.dataplane import DataPlane
from mip6.linux.tun import QUEUE_LENGTH, Device, DeviceError

pytestmark = pytest.mark.root

TUNSETIFF = 0x400454CA
TUN, NO_PI, MULTI_QUEUE, VNET_HDR = 0x1, 0x1000, 0x100, 0x4000


@pytest.fixture
def place() -> Iterator[Namespace]:
    with namespaces("node") as (node,), node.entered():
        yield node


def attach(name: str, flags: int) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    return fd


def test_what_is_made(place: Namespace) -> None:
    device = Device.open("mip0", mtu=1452)
    shown = place.run("ip -d link show mip0")
    for part in (
        "mtu 1452",
        "UP",
        f"qlen {QUEUE_LENGTH}",
        "vnet_hdr on",
        "multi_queue numqueues 3",
        "persist on",
        "addrgenmode none",
    ):
        assert part in shown
    assert place.run("ip -6 address show dev mip0") == ""
    assert Path("/proc/sys/net/ipv6/conf/mip0/forwarding").read_text() == "1\n"
    assert Path("/proc/sys/net/ipv6/conf/all/forwarding").read_text() == "0\n"
    assert device.index == socket.if_nametoindex("mip0")
    device.set_mtu(1280)
    assert "mtu 1280" in place.run("ip link show mip0")
    features = place.run("ethtool -k mip0")
    for feature in ("tx-checksum-ip-generic", "tx-tcp6-segmentation"):
        assert f"{feature}: on" in features
    device.delete()
    assert "mip0" not in place.run("ip link")


def test_second_daemon_is_refused(place: Namespace) -> None:
    """# gotcha 20"""
    device = Device.open("mip0", mtu=1452)
    with pytest.raises(DeviceError, match="in use by another process") as caught:
        Device.open("mip0", mtu=1452)
    assert caught.value.errno == errno.EBUSY
    with pytest.raises(DeviceError, match="in use"):
        Device.remove("mip0")
    other = Device.open("mip1", mtu=1452)
    other.delete()
    device.delete()


def test_takes_over_what_was_left(place: Namespace) -> None:
    first = Device.open("mip0", mtu=1452)
    first.close()
    place.ip("address add 2001:db8::1/128 dev mip0 nodad")
    second = Device.open("mip0", mtu=1300)
    assert second.index == first.index
    assert "2001:db8::1" in place.ip("address show dev mip0")
    assert "mtu 1300" in place.run("ip link show mip0")
    second.delete()


def test_takes_over_from_somebody_without_the_header(place: Namespace) -> None:
    """Such an attachment is accepted by the kernel without a word.  # gotcha 4"""
    Device.open("mip0", mtu=1452).close()
    os.close(attach("mip0", TUN | NO_PI | MULTI_QUEUE))
    assert "vnet_hdr off" in place.run("ip -d link show mip0")
    device = Device.open("mip0", mtu=1452)
    assert "vnet_hdr on" in place.run("ip -d link show mip0")
    device.delete()


def test_device_of_another_kind_is_refused(place: Namespace) -> None:
    """# gotcha 20"""
    place.run("ip tuntap add mip0 mode tun")
    with pytest.raises(DeviceError, match="ip link del mip0"):
        Device.open("mip0", mtu=1452)
    place.run("ip link add mip1 type veth peer name mip2")
    with pytest.raises(DeviceError, match="mobility device mip1"):
        Device.open("mip1", mtu=1452)


def test_remove(place: Namespace) -> None:
    Device.remove("mip0")
    Device.open("mip0", mtu=1452).close()
    Device.remove("mip0")
    assert "mip0" not in place.run("ip link")


def test_nothing_stays_open(place: Namespace) -> None:
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    Device.open("mip0", mtu=1452).delete()
    place.run("ip tuntap add mip1 mode tun")
    with pytest.raises(DeviceError):
        Device.open("mip1", mtu=1452)
    assert len(list(descriptors.iterdir())) == before


def test_read_leaves_some_for_later(place: Namespace) -> None:
    """One queue never keeps the other waiting for long."""
    device = Device.open("mip0", mtu=1452)
    place.ip("route add 2001:db8::/32 dev mip0")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        for _ in range(300):
            sender.sendto(b"x", ("2001:db8::1", 9))
    reads = [list(device.read(device.data)) for _ in range(3)]
    assert len(reads[0]) == 256
    assert reads[2] == []
    # Among them what the kernel says on any new link.
    assert sum(packet[6] == UDP for packet in reads[0] + reads[1]) == 300
    assert list(device.read(device.signalling)) == []
    device.delete()


def test_what_found_its_queue_full_is_counted(place: Namespace) -> None:
    device = Device.open("mip0", mtu=1452)
    place.ip("route add 2001:db8::/32 dev mip0")
    before, more = device.missed, 10
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        for _ in range(QUEUE_LENGTH + more):
            sender.sendto(b"x", ("2001:db8::1", 9))
    assert device.missed >= before + more
    device.delete()
    assert device.missed == 0


def test_links_without_an_ethernet_header() -> None:
    """The same programs on a link of layer 3: a TUN stands for a modem."""
    with namespaces("node", "router") as (node, router):
        connect(node, "eth0", router, "eth0")
        node.ip("address add 2001:db8:b::2/64 dev eth0 nodad")
        pins = Path("/sys/fs/bpf/mip6", node.name)
        with node.entered():
            device = Device.open("mip0", mtu=1452)
            modem = attach("wwan0", TUN | NO_PI)
            node.ip("link set wwan0 up")
            plane = DataPlane.open(pins, device=device.index)
            plane.attach_device(device.index)
            plane.attach_link(socket.if_nametoindex("wwan0"), layer3=True)
            node.ip(f"address add {HOME_ADDRESS}/128 dev mip0 nodad")
            node.ip(f"address add {CARE_OF_ADDRESS}/64 dev wwan0 nodad")
            node.ip("route add default dev wwan0")
            node.ip("rule add priority 999 from 2001:db8:a::/64 lookup 100")
            node.ip("route add default dev mip0 table 100")
            plane.put(tunnel(End.MOBILE_NODE))
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as answering:
                answering.bind((HOME_ADDRESS, 2000))
                answering.settimeout(2)
                inner = ipv6(CORRESPONDENT, HOME_ADDRESS, UDP, good_udp(b"down"))
                os.write(modem, ipv6(HOME_AGENT, CARE_OF_ADDRESS, IPV6, inner))
                assert answering.recvfrom(100)[0] == b"down"
                drain(modem)
                answering.sendto(b"up", (CORRESPONDENT, 1000))
                (packet,) = [p for p in drain(modem) if p[6] == IPV6]
            assert packet[8:40] == outer_addresses()
            assert packet.endswith(b"up")
            plane.close()
            device.close()
            os.close(modem)
            DataPlane.remove(pins)


def good_udp(payload: bytes) -> bytes:
    bare = udp(payload)
    bare = bare[:6] + b"\0\0" + bare[8:]
    value = checksum(CORRESPONDENT, HOME_ADDRESS, UDP, bare)
    return bare[:6] + value.to_bytes(2) + bare[8:]


def outer_addresses() -> bytes:
    return ipv6(CARE_OF_ADDRESS, HOME_AGENT, IPV6)[8:40]


def drain(fd: int) -> list[bytes]:
    packets = []
    while True:
        try:
            packets.append(os.read(fd, 2000))
        except BlockingIOError:
            return packets
