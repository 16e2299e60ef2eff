"""A data plane whose programs are run on single packets (BPF_PROG_TEST_RUN)."""

import time
from dataclasses import dataclass
from ipaddress import IPv6Address

from mip6.core.state import End, RouteOptimization, Tunnel
from mip6.linux import bpf, clock
from mip6.linux.dataplane import DataPlane
from mip6.linux.layout import COUNTERS, FirstPacket, Talk, Use
from mip6.linux.tun import Device

from .namespaces import Namespace

ETHERNET = bytes(6) + bytes.fromhex("020000000002") + b"\x86\xdd"
"""From somebody to the loopback device, as which a test run lets packets arrive."""

PASS, DROP, REDIRECT = -1, 2, 7
UNMATCHED, UNVERIFIED, OPEN, NOTICE, LONG = range(5)

HOME_ADDRESS = "2001:db8:a::100"
HOME_AGENT = "2001:db8:a::1"
CARE_OF_ADDRESS = "2001:db8:b::100"
CORRESPONDENT = "2001:db8:c::1"


@dataclass(frozen=True, slots=True)
class Result:
    verdict: int
    packet: bytes
    """Without the Ethernet header."""
    mark: int
    counted: dict[str, int]
    """The counters that changed, and by how much."""


@dataclass(frozen=True, slots=True)
class Bench:
    namespace: Namespace
    device: Device
    data_plane: DataPlane

    def run(self, program: str, packet: bytes, *, mark: int = 0) -> Result:
        before = self.data_plane.counters()
        with self.namespace.entered():
            outcome = self.data_plane.program(program).run(ETHERNET + packet, mark=mark)
        after = self.data_plane.counters()
        counted = {n: after[n] - before[n] for n in COUNTERS if after[n] != before[n]}
        assert outcome.packet[12:14] == ETHERNET[12:]
        return Result(outcome.verdict, outcome.packet[14:], outcome.mark, counted)

    def out(self, packet: bytes, *, mark: int = 0) -> Result:
        """Out of the mobility device."""
        return self.run("device_egress_l2", packet, mark=mark)

    def arrive(self, packet: bytes) -> Result:
        """Into a link."""
        return self.run("link_ingress", packet)

    def tunnel(
        self,
        end: End,
        *,
        home_address: str = HOME_ADDRESS,
        care_of_address: str = CARE_OF_ADDRESS,
        home_agent: str = HOME_AGENT,
        lifetime: float = 60,
        previous: str | None = None,
        grace: float = 0,
        inbound_only: bool = False,
        path_mtu: int | None = None,
    ) -> Tunnel:
        """Puts a tunnel; `lifetime` and `grace` are seconds from now."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        tunnel = Tunnel(
            end=end,
            home_address=IPv6Address(home_address),
            care_of_address=IPv6Address(care_of_address),
            home_agent=IPv6Address(home_agent),
            expires=now + lifetime,
            previous=IPv6Address(previous) if previous else None,
            previous_until=now + grace if previous else 0.0,
            inbound_only=inbound_only,
            path_mtu=path_mtu,
        )
        self.data_plane.put(tunnel)
        self.forget("clocks")  # it is read once a jiffy
        return tunnel

    def direct(
        self,
        end: End,
        *,
        home_address: str = HOME_ADDRESS,
        correspondent: str = CORRESPONDENT,
        care_of_address: str = CARE_OF_ADDRESS,
        lifetime: float = 60,
        previous: str | None = None,
        grace: float = 0,
        inbound_only: bool = False,
        path_mtu: int | None = None,
    ) -> RouteOptimization:
        """Puts a direct way; `lifetime` and `grace` are seconds from now."""
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        direct = RouteOptimization(
            end=end,
            home_address=IPv6Address(home_address),
            correspondent=IPv6Address(correspondent),
            care_of_address=IPv6Address(care_of_address),
            expires=now + lifetime,
            previous=IPv6Address(previous) if previous else None,
            previous_until=now + grace if previous else 0.0,
            inbound_only=inbound_only,
            path_mtu=path_mtu,
        )
        self.data_plane.put(direct)
        self.forget("clocks")
        return direct

    def told(self) -> list[tuple[str, str]]:
        """Who talked to whom since this was asked last."""
        notices = self.data_plane.notices.read()
        return [(str(n.local), str(n.peer)) for n in notices if isinstance(n, Talk)]

    def first_packets(self) -> list[tuple[str, bool]]:
        """Care-of addresses by which a first packet went since this was asked last, and
        whether out."""
        notices = self.data_plane.notices.read()
        firsts = [n for n in notices if isinstance(n, FirstPacket)]
        assert all(str(n.home_address) == HOME_ADDRESS for n in firsts)
        assert all(n.at <= clock.now() < n.at + 60 for n in firsts)
        return [(str(n.care_of_address), n.out) for n in firsts]

    def divert(self, *addresses: str) -> None:
        for address in addresses:
            self.data_plane.divert(IPv6Address(address))

    def clear(self) -> None:
        for tunnel in list(self.data_plane.tunnels()):
            self.data_plane.drop(tunnel)
        for direct in list(self.data_plane.route_optimizations()):
            self.data_plane.drop(direct)
        talks = self.data_plane.maps["talks"]
        for pair, _ in list(talks.items()):
            talks.delete(pair)
        self.data_plane.notices.read()
        self.data_plane.forget_first_packets()
        self.data_plane.configure(uses=Use(0), multicast=False)
        for address in self.data_plane.diverted():
            self.data_plane.undivert(address)
        self.data_plane.divert_esp(())
        for name in ("ways", "recent_talks", "clocks"):
            self.forget(name)
        for budget in (UNMATCHED, UNVERIFIED, OPEN, NOTICE, LONG):
            self.full_again(budget, at=0)

    def forget_ways(self) -> None:
        """As after a moment without packets."""
        self.forget("ways")

    def forget(self, name: str) -> None:
        """What the programs keep at hand, on every CPU."""
        kept = self.data_plane.maps[name]
        empty = bytes(kept.info.value_size) * bpf.possible_cpus()
        for slot in range(kept.info.entries_max):
            kept.update(slot.to_bytes(4, "little"), empty)

    def full_again(self, budget: int, *, at: float) -> None:
        """Says when (boot clock) this token bucket will be full, on every CPU."""
        value = int(at * 1e9).to_bytes(8, "little") * bpf.possible_cpus()
        self.data_plane.maps["budgets"].update(budget.to_bytes(4, "little"), value)
