"""The main loop: every input goes to the node, its effects to the kernel, one timer.

After each input, whatever it is: carry the effects out, then arm the timer at the
node's deadline.  There is no other way for anything to happen.
"""

import asyncio
import contextlib
import signal
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address
from typing import Any

from mip6.core.effects import Effect
from mip6.core.events import (
    BindingChanged,
    Dropped,
    Event,
    HomeAddressesChanged,
    HomeAgentsChanged,
    Phase,
    PhaseReached,
    Place,
    PlaceChanged,
    PrefixesTold,
    Problem,
    Refused,
)
from mip6.core.state import End
from mip6.linux import clock
from mip6.linux.executor import Executor
from mip6.linux.multicast import HomeLinkGroups
from mip6.linux.netlink import LinkInfo, Listener, Notice
from mip6.linux.sockets import IcmpListener, NeighborListener, Sender
from mip6.wire.multicast_listener import is_report_of_link

from . import control, directories, first_look, roles
from .advertiser import advertiser
from .configuration import Configuration
from .credentials import Credentials
from .feed import Feed
from .home_agent_names import NameLookup
from .hooks import HOOKS, Hooks
from .links import Links
from .log import Log
from .long_packets import LongPackets
from .machine import Machine, socket_path, store_path
from .notify import notify
from .outbox import Outbox
from .own_addresses import OwnAddresses
from .protection import Protection
from .recording import Recorder
from .reload import reload
from .signalling import Signalling
from .standing import Standing
from .store import Store, StoreError
from .surroundings import Surroundings
from .timeline import Timeline
from .traffic import Traffic

STOP_MAX = 3.0
"""Seconds that a stop waits for the home agent to acknowledge the de-registration."""
_FAILURES_MAX = 8
_PROBLEMS_MAX = 20


class Daemon:
    """One instance at work.  Raises SetupError where the machine cannot be prepared."""

    def __init__(
        self,
        configuration: Configuration,
        name: str,
        log: Log,
        recorder: Recorder | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.configuration = configuration
        self.credentials = credentials or Credentials()
        self.reloading = asyncio.Lock()
        self.name = name
        self.log = log
        self.now = clock.now
        self.started_at = clock.now()
        self.timeline = Timeline()
        self.feed = Feed()
        wanted = configuration.mobile_node
        self._hooks = Hooks(
            {hook: getattr(wanted, hook) for hook in HOOKS} if wanted else {}, name, log
        )
        self.received = 0
        self.dropped: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()
        self.changes: Counter[str] = Counter()
        self.problems: deque[str] = deque(maxlen=_PROBLEMS_MAX)
        stored = configuration.authenticates or configuration.home_agent is not None
        directories.prepare(name, stored=stored)
        self._control = control.listen(socket_path(name), configuration.group)
        self.store: Store | None = None
        try:
            if stored:
                self.store = Store(store_path(name), clock.wall_ahead)
            self.protection = Protection(
                End.HOME_AGENT if configuration.home_agent else End.MOBILE_NODE,
                self.credentials,
                self.store.marks if self.store else {},
            )
            self._reserve()
            self.machine = Machine(configuration, name, spis=self.protection.spis)
        except BaseException:
            self._end_control()
            raise
        try:
            self._assemble(recorder or Recorder())
        except BaseException:
            self._give_up()
            raise

    def _assemble(self, recorder: Recorder) -> None:
        """The parts, on a machine that is ready."""
        self.took_over = self.machine.took_over
        self.outbox = Outbox(
            Sender(),
            self.protection,
            self.store,
            self.report,
            hold=self.configuration.home_agent is not None,
        )
        wanted = self.configuration.home_agent
        groups = HomeLinkGroups() if wanted and wanted.multicast else None
        self.executor = Executor(
            netlink=self.machine.netlink,
            tunnels=self.machine.data_plane,
            sender=self.outbox,
            record=self.machine.journal,
            links=self.machine.links,
            report=self.report,
            memberships=groups,
        )
        own_addresses: OwnAddresses | None = None
        if self.configuration.correspondent and not self.configuration.mobile_node:
            addresses = self.machine.netlink.addresses()
            own_addresses = OwnAddresses(addresses)
        self.node = roles.build(
            self.configuration,
            self.machine,
            recorder,
            self.store,
            own_addresses.current if own_addresses else (),
            self.now(),
        )
        self._standing = Standing(
            self.node,
            self.machine,
            self.executor,
            own_addresses,
            self.log,
            lambda: self.stopping,
        )
        self.home_agent = self.node.home_agent
        self.mobile_node = self.node.mobile_node
        self.correspondent = self.node.correspondent
        mobile = self.configuration.mobile_node
        self._links = Links(
            self.machine,
            self.mobile_node,
            mobile.interfaces if mobile else (),
            self.home_agent,
            adopts=mobile is not None and not mobile.manage,
        )
        self._neighbors: NeighborListener | None = None
        if self.home_agent is not None and self.home_agent.home_link is not None:
            self._neighbors = NeighborListener()
        self._surroundings = Surroundings(
            self, self._links, own_addresses, self._neighbors, groups, self._standing
        )
        self._advertiser = advertiser(self.configuration, self.report, recorder)
        self._signalling = Signalling(self)
        self._traffic = Traffic(self)
        self._names = NameLookup(
            mobile.home_agent if mobile else (), self._home_agents, self._no_home_agents
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._keep = False

    @property
    def _echo_identifier(self) -> int | None:
        probe = self.mobile_node.probe if self.mobile_node is not None else None
        return None if probe is None else probe.identifier

    def _reserve(self) -> None:
        """Sequence numbers for what is sent: now, and not in the middle of the first
        move."""
        if self.store is not None:
            for mark in self.protection.reserve():
                self.store.mark(mark, promised=True)
            self.store.commit()

    async def run(self) -> None:
        """Until `stop`; then everything is put back, and so it is after a mistake of
        ours, which is raised.  But what was there before this start is left working, as
        a kill leaves it: the next start, or `mip6 down`, sees to it.
        """
        try:
            await self._serve()
        except BaseException:
            self._give_up()
            raise
        if not self._keep:
            self.machine.put_back()
        self.log.line("info", "stopped", name=self.name, kept=self._keep or None)

    def _give_up(self) -> None:
        self._end_control()
        if self.machine.took_over:
            self.machine.close()
        else:
            self.machine.put_back()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._bug)
        self._stopping = asyncio.Event()
        self._timer = clock.Timer()
        self._notices = Listener(ignored=self.machine.netlink.port)
        runner = await control.serve(self, self._control)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        self._standing.take_up()
        self.perform(self.node.tick(self.now()))
        self.outbox.flush(self.executor.counts)
        if self.mobile_node is None:
            self._standing.settle()
        device = self.machine.device
        readers: dict[int, Callable[[], None]] = {
            self._timer.fileno(): self._tick,
            self._notices.fileno(): self._noticed,
            device.signalling.fileno(): self._signalling.read,
            device.data.fileno(): self._data,
            device.long.fileno(): LongPackets(self).read,
            self.machine.data_plane.notices.fileno(): self._traffic.read,
        }
        icmp = IcmpListener(
            # Of other home agents too (§10.5.1).
            advertisements=self.mobile_node is not None or self._neighbors is not None,
            solicitations=self.mobile_node is not None and not self.machine.optimistic,
            echo_identifier=self._echo_identifier,
        )
        readers[icmp.fileno()] = lambda: self._icmp(icmp)
        if self._neighbors is not None:
            readers[self._neighbors.fileno()] = self._neighbor
        readers |= self._surroundings.readers()
        for descriptor, reader in readers.items():
            loop.add_reader(descriptor, reader)
        self._names.wake()
        self._surroundings.look()
        self._announce()
        if self._advertiser is not None:
            self._advertiser.start(loop)
        notify("READY=1")
        await self._stopping.wait()
        notify("STOPPING=1")
        if self._advertiser is not None:
            self._advertiser.stop(loop, silently=self._keep)
        self._names.stop()
        await self._leave()
        self._keep_prefixes()
        await self._hooks.finish()
        for descriptor in readers:
            loop.remove_reader(descriptor)
        await runner.cleanup()
        if self._neighbors is not None:
            self._neighbors.close()
        self._surroundings.close()
        for resource in (self._timer, self._notices, icmp, self.outbox):
            resource.close()
        if self._keep:
            # Before the socket goes: who waits for that can start the next daemon.
            self.machine.close()
        self._end_control()

    def configure(self, wanted: Configuration, credentials: Credentials) -> None:
        """Works by these from now on; `reload` has seen to it that it can.  No packet
        is looked at in between, so each is judged by one configuration."""
        self.configuration = wanted
        self._trust(credentials)
        self.log.change_level(wanted.log_level)
        self.perform(roles.configure(self.node, wanted, self.now()))
        if self.store is not None and wanted.home_agent is not None:
            with contextlib.suppress(StoreError):  # the next start tells all anew
                self.store.prefixes_said(wanted.home_agent, self.now())
        if self._advertiser is not None and wanted.home_agent is not None:
            self._advertiser.renumber(wanted.home_agent)
        for address in self._standing.diverted():  # new prefixes have anycast addresses
            self.machine.data_plane.divert(address)
        self._surroundings.follow_links()

    def _trust(self, credentials: Credentials) -> None:
        """Let these be the keys; a mobile node's with all home agents that it knows.
        Raises OSError."""
        known = set(self.configuration.known)
        if self.mobile_node is not None:
            home_agents = self.mobile_node.home_agents.known
            home_addresses = self.mobile_node.home_addresses
            credentials = credentials.with_home_agents(home_agents, home_addresses)
            if self.configuration.authentication in ("mn_ha", "none"):
                known |= {*home_agents}
        self.protection.replace(credentials)
        self.credentials = credentials
        self.machine.data_plane.divert_esp(self.protection.spis)
        self.machine.data_plane.know(known)
        with contextlib.suppress(StoreError):  # told when something is promised
            self._reserve()

    def _home_agents(self, found: tuple[IPv6Address, ...]) -> None:
        """What the names of home agents say now."""
        assert self.mobile_node is not None
        self.perform(self.mobile_node.home_agents_found(found, self.now()))
        self.finish()

    def _no_home_agents(self, names: list[str]) -> None:
        what = f"nobody knows an address of {', '.join(names)}"
        self.report(Problem(what, "check home_agent, and the name servers"))

    def _hung_up(self) -> None:
        task = asyncio.get_running_loop().create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        await reload(self)

    def stop(self, why: str, *, keep: bool = False) -> None:
        """Ends `run`: de-registers first, then puts everything back.  `keep`: neither;
        traffic goes on, and the next daemon takes over."""
        if not self._stopping.is_set():
            self.log.line("info", "stopping", why=why)
            self._keep = keep
            self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def handover(self, interface: str) -> str:
        """Moves the mobile node to an interface now; what is wrong with that, or ""."""
        mobile_node = self.mobile_node
        if mobile_node is None:
            return "only a mobile node moves"
        if interface not in mobile_node.links:
            return (
                f"{interface} is not one of interfaces: {', '.join(mobile_node.links)}"
            )
        if interface not in mobile_node.attachments.up:
            return f"{interface} is down: there is nowhere to move to"
        self.perform(mobile_node.handover(interface, self.now()))
        self.finish()
        return ""

    def revoke(self, address: str) -> str:
        """Ends a binding, and tells its mobile node; what is wrong with that, or ""."""
        home_agent = self.home_agent
        try:
            home_address = IPv6Address(address)
        except ValueError:
            return f'"{address}" is not an IPv6 address'
        if home_agent is None:
            return "only a home agent revokes bindings"
        if home_agent.binding(home_address) is None:
            return f"{home_address} is not registered here"
        self.perform(home_agent.revoke(home_address, self.now()))
        self.finish()
        return ""

    def _bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A mistake of ours, in one input: it is told, and the next input is served."""
        error = context.get("exception")
        trace = "".join(traceback.format_exception(error)) if error else ""
        self.log.line("warning", "bug", what=context["message"], trace=trace)

    async def _leave(self) -> None:
        """Gives the home agent a moment to acknowledge the de-registration."""
        if self.mobile_node is None or self._keep:
            return
        self.perform(self.mobile_node.stop(self.now()))
        self.finish()
        end = self.now() + STOP_MAX
        while not self.mobile_node.stopped and self.now() < end:
            await asyncio.sleep(0.01)

    def _announce(self) -> None:
        names = ", ".join(self.configuration.roles)
        self.log.line("info", "ready", name=self.name, roles=names)
        for problem in first_look.problems(self.configuration, self.machine):
            self.report(problem)

    @property
    def drops(self) -> dict[str, int]:
        """Packets ignored, by reason; those too that never got here."""
        missed = self.machine.device.missed
        return {**self.dropped, **({"device_queue": missed} if missed else {})}

    # Inputs

    def perform(self, effects: Iterable[Effect]) -> None:
        """Carries effects out; what the kernel refuses goes back to the node."""
        for _ in range(_FAILURES_MAX):
            refused = self.executor.perform(effects)
            if refused is None:
                break
            effects = self.node.failed(refused, self.now())
        if stood := set(self.executor.stood):
            self.executor.stood.clear()
            for info in self.machine.netlink.addresses():
                if info.address in stood:  # no notice will come: it was checked before
                    self.perform(self._links.noticed(Notice(info, False), self.now()))

    def finish(self) -> None:
        """Ends an input, or many: what they promise is on disk before it is sent, the
        rest after."""
        self.outbox.flush(self.executor.counts)
        self._timer.arm(self.node.deadline)
        if self.store is not None:
            with contextlib.suppress(StoreError):  # told when something is promised
                self.store.commit()

    def _tick(self) -> None:
        self.perform(self.node.tick(self._timer.fired()))
        self.finish()

    def _data(self) -> None:
        groups_changed = False
        for octets in self.machine.device.read(self.machine.device.data):
            if is_report_of_link(octets):  # of our own kernel
                groups_changed = True
            else:
                self.perform(self.node.unmatched(octets, self.now()))
        if groups_changed:
            self._surroundings.look_for_groups()
        self.finish()

    def _icmp(self, listener: IcmpListener) -> None:
        for octets, index in listener.read():
            self.received += 1
            link = self._links.name(index)
            self.perform(self.node.receive(octets, self.now(), link=link))
        self.finish()

    def _neighbor(self) -> None:
        """Who else has an address that the home agent is about to take over."""
        assert self.home_agent is not None and self._neighbors is not None
        for octets in self._neighbors.read():
            link = self.home_agent.home_link
            self.perform(self.node.receive(octets, self.now(), link=link))
        self.finish()

    def _noticed(self) -> None:
        self._surroundings.noticed(self._notices.read())

    # Events

    def report(self, event: Event, at: float | None = None) -> None:
        """Tells an event to everybody who wants to know; it was now, or at `at`."""
        now = self.now() if at is None else at
        match event:
            case Dropped(reason=reason):
                self.dropped[reason] += 1
            case BindingChanged(change=change, home_address=home_address):
                self.changes[change] += 1
                if self.store is not None and event.correspondent is None:
                    self.store.changed(home_address)
            case Refused(status=status):
                self.refused[status] += 1
            case PhaseReached():
                self.timeline.reached(event, now)
                if event.phase is Phase.LINK_UP:
                    self.machine.data_plane.forget_first_packets()
            case PrefixesTold():
                self._keep_prefixes()
            case Problem(what=what, advice=advice):
                text = f"{what}: {advice}" if advice else what
                if text not in self.problems:
                    self.problems.append(text)
            case HomeAgentsChanged() | HomeAddressesChanged():
                self._ends_changed()
            case PlaceChanged(place=place):
                self._placed(place)
        self.log.event(event, now)
        self.feed.event(event, now)
        self._hooks.event(event)

    def _ends_changed(self) -> None:
        """The mobile node has another home address or home agent; there is nothing yet
        that was sent for it."""
        self._trust(self.credentials)
        self._names.wake()
        for address in self._standing.diverted():
            self.machine.data_plane.divert(address)
        if self.correspondent is not None:
            asyncio.get_running_loop().call_soon(self._corresponds)

    def _corresponds(self) -> None:
        """The mobile node is a correspondent by its home addresses."""
        if self.mobile_node is not None and not self.stopping:
            addresses = self.mobile_node.home_addresses
            self.perform(self.node.addresses_changed(addresses, self.now()))
            self.finish()

    def _keep_prefixes(self) -> None:
        """For the next process; what cannot be written is heard again."""
        if self.home_agent is not None and self.store is not None:
            with contextlib.suppress(StoreError):
                self.store.keep_prefixes(self.home_agent.prefixes_heard)

    def _placed(self, place: Place) -> None:
        if place in (Place.REGISTERED, Place.AT_HOME):
            asyncio.get_running_loop().call_soon(self._standing.settle)
        elif place is Place.REGISTERING:
            self._names.wake()

    def links_in_use(self) -> list[LinkInfo]:
        return self.machine.attachable()

    def _end_control(self) -> None:
        self._control.close()
        if self.store is not None:
            self.store.close()
        socket_path(self.name).unlink(missing_ok=True)
