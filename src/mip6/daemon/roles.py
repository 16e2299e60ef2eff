"""The node that a configuration describes, with what an earlier process left."""

import os
from collections.abc import Collection
from ipaddress import IPv6Address

from mip6.core.addresses import Networks
from mip6.core.correspondent import ANYBODY, Correspondent
from mip6.core.effects import Effect
from mip6.core.home_agent import HomeAgent
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.state import End, Tunnel

from .configuration import Configuration
from .home_agent_section import HomeAgentSection
from .machine import Machine
from .mobile_node_section import MobileNodeSection
from .recording import Recorder
from .restoration import restore, restore_prefixes
from .route_optimization import CorrespondentNodeSection
from .store import Store


def build(
    configuration: Configuration,
    machine: Machine,
    recorder: Recorder,
    store: Store | None,
    addresses: Collection[IPv6Address],
    now: float,
) -> Node:
    """store: what an earlier process promised to remember (decisions 0007, 0016); a
    home agent has one.

    addresses: of this machine, beside the home address of a mobile node.

    now: what ended before it is not taken up.
    """
    builder = _Builder(configuration, machine, recorder, now)
    return builder.node(store, addresses)


def configure(node: Node, wanted: Configuration, now: float) -> list[Effect]:
    """What `reload.RELOADED` names, at work in the roles that there are."""
    effects: list[Effect] = []
    if node.home_agent is not None and wanted.home_agent is not None:
        effects += node.home_agent.configure(
            wanted.home_agent.home_networks,
            now,
            lifetime_max=wanted.home_agent.lifetime_max,
            grace=wanted.home_agent.grace,
            updates_max=wanted.home_agent.updates_max,
            permissions=wanted.home_agent.permissions,
            refuse_others=bool(wanted.home_agent.allow),
        )
        prefixes = wanted.home_agent.home_prefixes
        effects += node.home_agent.prefixes_changed(prefixes, now)
    if node.mobile_node is not None and wanted.mobile_node is not None:
        effects += node.mobile_node.configure(
            wanted.mobile_node.lifetime,
            now,
            fallback=wanted.mobile_node.fallback,
            native=wanted.mobile_node.native,
            native_name_servers=wanted.mobile_node.native_name_servers,
        )
        effects += node.mobile_node.prefer(wanted.policies, now)
    if node.correspondent is not None and wanted.correspondent is not None:
        effects += node.correspondent.configure(
            now,
            lifetime_max=wanted.correspondent.lifetime_max,
            allowed=wanted.correspondent.allow or ANYBODY,
            refused=wanted.correspondent.refuse,
        )
    return effects


class _Builder:
    def __init__(
        self,
        configuration: Configuration,
        machine: Machine,
        recorder: Recorder,
        now: float,
    ) -> None:
        self._configuration = configuration
        self._machine = machine
        self._recorder = recorder
        self._now = now
        self._ways = [w for w in machine.ways() if w.expires > now]

    def node(self, store: Store | None, addresses: Collection[IPv6Address]) -> Node:
        wanted = self._configuration
        home_agent = mobile_node = correspondent = None
        if wanted.home_agent is not None:
            assert store is not None
            home_agent = self._home_agent(wanted.home_agent, store)
        if wanted.mobile_node is not None:
            mobile_node = self._mobile_node(wanted.mobile_node)
            # By its care-of addresses it is nobody's correspondent: they come and go.
            addresses = (wanted.mobile_node.home_address.ip,)
        if wanted.correspondent is not None:
            correspondent = self._correspondent(
                wanted.correspondent, addresses, home_agent
            )
        return self._recorder.new(
            Node,
            home_agent=home_agent,
            mobile_node=mobile_node,
            correspondent=correspondent,
        )

    def _correspondent(
        self,
        wanted: CorrespondentNodeSection,
        addresses: Collection[IPv6Address],
        home_agent: HomeAgent | None,
    ) -> Correspondent:
        return self._recorder.new(
            Correspondent,
            tuple(addresses),
            random=os.urandom,
            first_nonce=int.from_bytes(os.urandom(2)),
            device=self._configuration.device,
            lifetime_max=wanted.lifetime_max,
            bindings_max=wanted.bindings_max,
            tests_rate=wanted.tests_max,
            tests_burst=wanted.tests_max,
            allowed=wanted.allow or ANYBODY,
            refused=wanted.refuse,
            home_agent=home_agent,
            restored=[w for w in self._ways if w.end == End.CORRESPONDENT],
        )

    def _home_agent(self, wanted: HomeAgentSection, store: Store) -> HomeAgent:
        data_plane = self._machine.data_plane
        authenticates = self._configuration.authenticates
        # Without authentication nothing is remembered beyond a binding (0007).
        found = restore(
            store, data_plane, wanted.address, self._now, numbers=authenticates
        )
        listed = Networks(wanted.home_networks)
        kept, changed = [], []
        for binding in found.bindings:
            may_stay = binding.home_address in listed
            if may_stay:
                kept.append(binding)
            # One was not on disk, the other may register no longer.
            if not may_stay or isinstance(binding, Tunnel):
                changed.append(binding.home_address)
        home_agent = self._recorder.new(
            HomeAgent,
            wanted.address,
            wanted.home_prefix,
            home_link=wanted.home_link,
            device=self._configuration.device,
            lifetime_max=wanted.lifetime_max,
            bindings_max=wanted.bindings_max,
            authentication_required=authenticates,
            mobile_nodes=wanted.home_networks,
            permissions=wanted.permissions,
            refuse_others=bool(wanted.allow),
            prefixes=wanted.home_prefixes,
            prefix_interval=(wanted.prefix_interval_min, wanted.prefix_interval_max),
            preference=wanted.preference,
            random=os.urandom,
            grace=wanted.grace,
            updates_max=wanted.updates_max,
            multicast=wanted.multicast,
            check_time=self._machine.check_time(),
            restored=kept,
            sequence_numbers=found.sequence_numbers,
        )
        restore_prefixes(store, home_agent, wanted, self._now)
        store.follow(home_agent)
        for home_address in changed:
            store.changed(home_address)
        return home_agent

    def _mobile_node(self, wanted: MobileNodeSection) -> MobileNode:
        home_address = wanted.home_address.ip
        restored: Tunnel | None = next(
            (
                t
                for t in self._machine.tunnels()
                if t.end == End.MOBILE_NODE
                and t.expires > self._now
                and t.home_address == home_address
                and (
                    t.home_agent in wanted.home_agents
                    or not wanted.has_fixed_home_agents
                )
            ),
            None,
        )
        return self._recorder.new(
            MobileNode,
            home_address,
            wanted.home_address.network,
            wanted.home_agents,
            discover=wanted.discovers,
            device=self._configuration.device,
            links=wanted.interfaces,
            lifetime=wanted.lifetime,
            random=os.urandom,
            fallback=wanted.fallback,
            table=wanted.table,
            never_return_home=wanted.never_return_home,
            managed=wanted.manage,
            authentication_required=self._configuration.authenticates,
            optimistic=self._machine.optimistic,
            restored=restored,
            policies=self._configuration.policies,
            home_check_time=self._machine.home_check_time(),
            probe_tunnel=wanted.probe_tunnel,
            native=wanted.native,
            native_name_servers=wanted.native_name_servers,
            restored_ways=tuple(
                way
                for way in self._ways
                if way.end == End.MOBILE_NODE and way.home_address == home_address
            ),
            prefix_discovery=self._configuration.discovers_prefixes,
            renumbering=self._configuration.authentication in ("shared_key", "none"),
        )
