"""The node that a configuration describes, with what an earlier process left."""

import os
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address

from mip6.core.home_agent import HomeAgent
from mip6.core.mobile_node import MobileNode
from mip6.core.node import Node
from mip6.core.state import End, Tunnel

from .configuration import Configuration, HomeAgentSection, MobileNodeSection
from .machine import Machine
from .recording import Recorder


def build(
    configuration: Configuration,
    machine: Machine,
    recorder: Recorder,
    sequence_numbers: Mapping[IPv6Address, int],
    now: float,
) -> Node:
    """sequence_numbers: those an earlier process promised to remember (decision 0007).

    now: what ended before it is not taken up.
    """
    return _Builder(configuration, machine, recorder, now).node(sequence_numbers)


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
        self._tunnels = [t for t in machine.tunnels() if t.expires > now]

    def node(self, sequence_numbers: Mapping[IPv6Address, int]) -> Node:
        wanted = self._configuration
        home_agent = mobile_node = None
        if wanted.home_agent is not None:
            numbers = tuple(sequence_numbers.items())
            home_agent = self._home_agent(wanted.home_agent, numbers)
        if wanted.mobile_node is not None:
            mobile_node = self._mobile_node(wanted.mobile_node)
        return self._recorder.new(Node, home_agent=home_agent, mobile_node=mobile_node)

    def _home_agent(
        self,
        wanted: HomeAgentSection,
        sequence_numbers: Iterable[tuple[IPv6Address, int]],
    ) -> HomeAgent:
        return self._recorder.new(
            HomeAgent,
            wanted.address,
            wanted.home_prefix,
            home_link=wanted.home_link,
            device=self._configuration.device,
            lifetime_max=wanted.lifetime_max,
            bindings_max=wanted.bindings_max,
            authentication_required=self._configuration.authenticates,
            mobile_nodes=wanted.home_networks,
            grace=wanted.grace,
            restored=[
                t
                for t in self._tunnels
                if t.end == End.HOME_AGENT and t.home_agent == wanted.address
            ],
            sequence_numbers=sequence_numbers,
        )

    def _mobile_node(self, wanted: MobileNodeSection) -> MobileNode:
        home_address = wanted.home_address.ip
        restored: Tunnel | None = next(
            (
                t
                for t in self._tunnels
                if t.end == End.MOBILE_NODE
                and t.home_address == home_address
                and t.home_agent == wanted.home_agent
            ),
            None,
        )
        return self._recorder.new(
            MobileNode,
            home_address,
            wanted.home_address.network,
            wanted.home_agent,
            device=self._configuration.device,
            links=wanted.interfaces,
            lifetime=wanted.lifetime,
            random=os.urandom,
            fallback=wanted.fallback,
            table=wanted.table,
            authentication_required=self._configuration.authenticates,
            optimistic=self._machine.optimistic,
            restored=restored,
        )
