"""The data plane as the rest of the daemon sees it: tunnels and direct ways in maps,
programs on links.

What is pinned outlives the daemon, and traffic with it:

    PINS/v4/bindings ...     the maps; v4 is the version of their layout
    PINS/links/...           which programs are attached where (attachment.py)

Programs need no pin, what attaches them keeps them.  So whoever opens the pins again
loads the programs anew, over the maps that stand; attaching replaces them in one step.
"""

from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from mip6.core.state import End, RouteOptimization, Tunnel

from . import attachment, bpf, elf
from .layout import (
    COUNTERS,
    DIRECT_MAPS,
    LAYOUT_VERSION,
    TUNNEL_MAPS,
    Traffic,
    Use,
    read_direct,
    read_traffic,
    read_tunnel,
    with_traffic,
    write,
    write_settings,
)
from .notices import Notices

UNMATCHED_RATE: Final = 200
"""Packets a second, for each CPU, that no tunnel takes and the daemon looks at."""
UNMATCHED_BURST: Final = 100
UNVERIFIED_RATE: Final = 100
"""The same for Home Address options and routing headers that no binding vouches for."""
UNVERIFIED_BURST: Final = 50
OPEN_RATE: Final = 1000
"""The same for signalling without ESP, where ESP is what changes bindings: return
routability, discovery, and what attackers send."""
OPEN_BURST: Final = 250
ESP_RATE: Final = 50
"""Packets a second with one SPI: three Binding Updates, and as much again for routes to
be optimized."""
ESP_BURST: Final = 50
LONG_RATE: Final = 4000
"""Packets a second, for each CPU, that the daemon sends in fragments or puts together
again: some 40 Mbit/s."""
LONG_BURST: Final = 500
PEERS_MIN: Final = 1024
"""Room for SPIs, and for known peers, where there are fewer than half as many at the
start."""
TELL: Final = 10.0
"""Seconds between two notices of the same pair of addresses (§11.6, §9.5.5)."""
NOTICE_RATE: Final = 200
"""Notices a second, for each CPU; what is not told is told with the next packet."""
NOTICE_BURST: Final = 200

_USE_OF = {
    "bindings": Use.BINDINGS,
    "registrations": Use.REGISTRATIONS,
    "correspondents": Use.CORRESPONDENTS,
    "mobile_nodes": Use.MOBILE_NODES,
}
_UNPINNED = ("talks", "recent_talks", "firsts", "notices")
"""They begin anew with the daemon: what an earlier one was told is gone with it."""
_GROWING = ("spis", "known", "mobile_nodes")
"""Room in them is taken when it is needed: mostly little of it is."""
_ENTRY = (1).to_bytes(4, "little")

T = TypeVar("T")


class DataPlane:
    """The maps and programs of one instance.  Made by `open`.

    Every method raises `BpfError` when the kernel refuses.  All may be called inside a
    running event loop; those that attach and detach take a millisecond, the others
    microseconds.
    """

    def __init__(
        self, pins: Path, objects: elf.Object, maps: dict[str, bpf.Map]
    ) -> None:
        self.pins = pins
        self.maps = maps
        self.notices = Notices(maps["notices"])
        """Which of our addresses talk to whom: at a mobile node its home address, by
        tunnel or directly; at a correspondent those that mobile nodes are bound to."""
        self._object = objects
        self._programs: dict[str, bpf.Program] = {}
        self._settings: dict[str, Any] = {}
        self._used: set[str] = set()
        """Names of the maps that are looked into, as `uses` of the settings says."""

    @classmethod
    def open(
        cls,
        pins: Path,
        *,
        device: int,
        bindings_max: int = 65536,
        correspondents_max: int = 1024,
        mobile_nodes_max: int = 4096,
        spis: Collection[int] = (),
        known: Collection[IPv6Address] = (),
        open_rate: float | None = None,
        protect_home_tests: bool = False,
        multicast: bool = False,
    ) -> Self:
        """Takes over what is pinned below `pins`, or begins anew.

        `device` is the interface index of the mobility device, `bindings_max` how many
        mobile nodes a home agent can hold, `correspondents_max` how many direct ways a
        mobile node, `mobile_nodes_max` how many a correspondent.  What stands stays
        when these numbers change; of another layout version nothing is taken over: its
        filters work on until `attach_device` and `attach_link` replace them.

        `spis`: the daemon's, of ESP that brings signalling; all other ESP is the
        kernel's.  `known`: peers whose signalling without ESP has budgets of their own
        (`know`).  `open_rate`: packets a second of signalling without ESP that the
        daemon sees (`OPEN_RATE`); None for all, where nothing comes in ESP.
        `protect_home_tests`: a Home Test for a home address with a tunnel goes to the
        daemon, and so not in plain through the tunnel (§10.4.6).  `multicast`: so does
        what mobile nodes say of groups in their tunnels (§10.4.3).
        """
        bpf.raise_memory_limit()
        bpf.mount()
        objects = elf.shipped()
        directory = pins / f"v{LAYOUT_VERSION}"
        bpf.make_directory(directory)
        bpf.make_directory(pins / "links")
        sizes = {
            "bindings": bindings_max,
            "correspondents": correspondents_max,
            "mobile_nodes": mobile_nodes_max,
            "spis": max(2 * len(spis), PEERS_MIN),
            "known": max(2 * len(known), PEERS_MIN),
        }
        maps = {
            name: bpf.Map.create(name, definition)
            if name in _UNPINNED
            else _map(
                directory / name,
                definition,
                sizes.get(name),
                keep=name not in ("spis", "known"),
            )
            for name, definition in objects.maps.items()
        }
        for other in pins.glob("v*"):
            if other != directory:
                _unpin(other)
        opened = cls(pins, objects, maps)
        uses = Use(0)
        for name, use in _USE_OF.items():
            if any(True for _ in maps[name].items()):
                uses |= use
        opened.configure(
            device=device,
            uses=uses,
            protect_home_tests=protect_home_tests,
            multicast=multicast,
            told_interval=TELL,
            unmatched_rate=UNMATCHED_RATE,
            unmatched_burst=UNMATCHED_BURST,
            unverified_rate=UNVERIFIED_RATE,
            unverified_burst=UNVERIFIED_BURST,
            open_rate=open_rate,
            open_burst=OPEN_BURST,
            notice_rate=NOTICE_RATE,
            notice_burst=NOTICE_BURST,
            esp_rate=ESP_RATE,
            esp_burst=ESP_BURST,
            long_rate=LONG_RATE,
            long_burst=LONG_BURST,
        )
        opened.divert_esp(spis)
        opened.know(known)
        return opened

    def configure(self, **settings: Any) -> None:
        """Changes settings of the programs (`write_settings`); the others stay."""
        self._settings |= settings
        if "uses" in settings:
            self._used = {n for n, use in _USE_OF.items() if use in settings["uses"]}
        self.maps["settings"].update(bytes(4), write_settings(**self._settings))

    def close(self) -> None:
        """Lets go of the maps.  Pins and filters stay, and so does traffic."""
        self.notices.close()
        for descriptor in (*self._programs.values(), *self.maps.values()):
            descriptor.close()

    @staticmethod
    def remove(pins: Path) -> None:
        """Takes filters and pins away; absent ones are fine."""
        attachment.detach_all(pins)
        for directory in pins.glob("v*"):
            _unpin(directory)
        for directory in (pins / "links", pins):
            if directory.exists():
                directory.rmdir()

    # Programs

    def program(self, name: str) -> bpf.Program:
        """A program of the object, loaded at its first use."""
        if name not in self._programs:
            self._programs[name] = bpf.Program.load(
                name, bpf.SCHED_CLS, self._object.programs[name], self.maps
            )
        return self._programs[name]

    def load(self) -> None:
        """Loads what links that come later will need: it takes capabilities that a
        daemon need not keep (the verifier of Linux 6.1 wants CAP_PERFMON)."""
        for name in ("link_ingress", "link_ingress_l3"):
            self.program(name)

    def attach_device(self, index: int) -> None:
        """From now on what leaves the mobility device goes into its tunnel."""
        self._attach(index, "egress", "device_egress")

    def attach_link(self, index: int, *, layer3: bool = False) -> None:
        """From now on tunnelled packets and signalling are taken from this link.

        `layer3`: its packets have no Ethernet header (PPP, WireGuard, many modems).
        """
        self._attach(index, "ingress", "link_ingress_l3" if layer3 else "link_ingress")

    def detach_link(self, index: int) -> None:
        """Leaves this link as it was found; one that is gone is fine."""
        attachment.detach(self.pins, index, "ingress")

    def _attach(self, index: int, hook: str, name: str) -> None:
        attachment.attach(self.pins, index, hook, self.program(name))

    # Tunnels and direct ways

    def put(self, state: Tunnel | RouteOptimization) -> None:
        """Makes it stand in place of what stood under its key, in one step."""
        name, key, value = write(state)
        self._use(name)
        self.maps[name].update(key, self._counted(state, value))

    def put_many(self, states: Iterable[Tunnel | RouteOptimization]) -> None:
        """The same for many, at a fifth of the cost.  On an error some may stand."""
        entries: dict[str, list[tuple[bytes, bytes]]] = {}
        for state in states:
            name, key, value = write(state)
            if name in self._used:  # it may stand already
                value = self._counted(state, value)
            part = entries.setdefault(name, [])
            part.append((key, value))
            if len(part) == bpf.BATCH:  # a million must not stand in memory twice
                self._use(name)
                self.maps[name].update_many(entries.pop(name))
        for name, part in entries.items():
            self._use(name)
            self.maps[name].update_many(part)

    def _counted(self, state: Tunnel | RouteOptimization, value: bytes) -> bytes:
        """With what was counted of the same tunnel so far; packets of this very moment
        are not."""
        if not isinstance(state, Tunnel):
            return value
        old = self.maps[TUNNEL_MAPS[state.end]].lookup(state.home_address.packed)
        return with_traffic(value, old) if old is not None else value

    def drop(self, state: Tunnel | RouteOptimization) -> None:
        """Takes away what stands under its key; nothing there is fine."""
        name, key, _ = write(state)
        self.maps[name].delete(key)

    def tunnels(self, known: Container[bytes] = ()) -> Iterator[Tunnel]:
        """What the maps hold, expired ones too; times to the nanosecond.

        known: home addresses, packed, of a home agent's tunnels that nobody asks for.
        """
        for end, name in TUNNEL_MAPS.items():
            left_out = known if end is End.HOME_AGENT else ()
            for key, value in self.maps[name].items():
                if key not in left_out:
                    yield read_tunnel(end, key, value)

    def route_optimizations(self) -> Iterator[RouteOptimization]:
        """The same of direct ways."""
        for end, name in DIRECT_MAPS.items():
            for key, value in self.maps[name].items():
                yield read_direct(end, key, value)

    def traffic(self, end: End, home_address: IPv6Address) -> Traffic | None:
        """What went through the tunnel of a home address since it stands; None: there
        is none."""
        value = self.maps[TUNNEL_MAPS[end]].lookup(home_address.packed)
        return read_traffic(value) if value is not None else None

    def tunnel_of(self, octets: bytes, now: float) -> Tunnel | None:
        """The tunnel of ours that a whole IPv6-in-IPv6 packet came through, by all its
        addresses (§10.4.5, §11.3.1): as the programs judge it."""
        ends = octets[8:24], octets[24:40]
        inside = octets[48:64], octets[64:80]
        for end, name in TUNNEL_MAPS.items():
            at_home = end is End.HOME_AGENT
            key, care_of_address = inside[not at_home], ends[not at_home]
            value = self.maps[name].lookup(key)
            if value is None:
                continue
            tunnel = read_tunnel(end, key, value)
            known = [tunnel.care_of_address]
            if tunnel.previous and now < tunnel.previous_until:
                known.append(tunnel.previous)
            if (
                now < tunnel.expires
                and ends[at_home] == tunnel.home_agent.packed
                and IPv6Address(care_of_address) in known
            ):
                return tunnel
        return None

    def _use(self, name: str) -> None:
        """From its first entry on a map is looked into; before, that would cost time
        and find nothing."""
        if name not in self._used:
            self.configure(uses=self._settings["uses"] | _USE_OF[name])

    # Signalling

    def divert(self, address: IPv6Address) -> None:
        """Mobile IPv6 messages to this address go to the daemon from now on.

        And what arrives for it in a tunnel that is not properly ours is dropped.
        """
        self.maps["addresses"].update(address.packed, _ENTRY)

    def undivert(self, address: IPv6Address) -> None:
        self.maps["addresses"].delete(address.packed)

    def diverted(self) -> set[IPv6Address]:
        return {IPv6Address(key) for key, _ in self.maps["addresses"].items()}

    def divert_esp(self, spis: Collection[int]) -> None:
        """ESP with exactly these SPIs, to a diverted address, goes to the daemon.

        The budget of one that is there already goes on.
        """
        self._exactly("spis", {spi.to_bytes(4) for spi in spis})

    def know(self, peers: Collection[IPv6Address]) -> None:
        """Signalling without ESP from each of these, by its Home Address option or its
        source, has a budget of its own; that of one that is there already goes on."""
        self._exactly("known", {peer.packed for peer in peers})

    def _exactly(self, name: str, wanted: set[bytes]) -> None:
        """These keys, with full budgets where they are new."""
        entries = self.maps[name]
        standing = {key for key, _ in entries.items()}
        for key in standing - wanted:
            entries.delete(key)
        entries.update_many((key, bytes(8)) for key in wanted - standing)

    @property
    def spis_max(self) -> int:
        """How many SPIs can be diverted."""
        return self.maps["spis"].info.entries_max

    @property
    def known_max(self) -> int:
        """How many peers can have a budget of their own."""
        return self.maps["known"].info.entries_max

    def forget_first_packets(self) -> None:
        """A move begins: its first packet in each direction is told, be it by the
        care-of address of the one before."""
        for way in range(2):
            self.maps["firsts"].update(way.to_bytes(4, "little"), bytes(16))

    def counters(self) -> dict[str, int]:
        """Packets by reason, since the maps were made (`COUNTERS`; bpf/layout.h)."""
        totals = {}
        for index, name in enumerate(COUNTERS):
            values = self.maps["counters"].lookup(index.to_bytes(4, "little")) or b""
            totals[name] = sum(memoryview(values).cast("Q"))
        return totals


def _map(
    path: Path,
    definition: elf.MapDefinition,
    entries_max: int | None,
    *,
    keep: bool,
) -> bpf.Map:
    """The map pinned at `path`, made and pinned where it is missing or another size;
    `keep`: with the entries it had."""
    wanted = bpf.MapInfo(
        definition.kind,
        definition.key_size,
        definition.value_size,
        entries_max or definition.entries_max,
    )
    old = bpf.Map.pinned(path) if path.exists() else None
    if old and old.info == wanted:
        return old
    if path.name in _GROWING:
        definition = replace(definition, flags=definition.flags | bpf.NO_PREALLOC)
    new = bpf.Map.create(path.name, definition, wanted.entries_max)
    if old and (old.info.key_size, old.info.value_size) == (
        wanted.key_size,
        wanted.value_size,
    ):
        if wanted.kind == bpf.HASH and keep:
            new.update_many(old.items())
        old.close()
    fresh = path.with_name(f"{path.name}-new")
    fresh.unlink(missing_ok=True)
    new.pin(fresh)
    fresh.rename(path)
    return new


def _unpin(directory: Path) -> None:
    for pin in directory.iterdir():
        pin.unlink()
    directory.rmdir()
