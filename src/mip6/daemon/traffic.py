"""What the data plane saw of packets that the daemon does not see."""

from typing import TYPE_CHECKING

from mip6.core.events import Phase, PhaseReached
from mip6.linux.layout import FirstPacket, Talk

if TYPE_CHECKING:
    from .daemon import Daemon


class Traffic:
    """Tells the node who talks to whom, and the timeline that a move is over."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon

    def read(self) -> None:
        daemon = self._daemon
        for notice in daemon.machine.data_plane.notices.read():
            match notice:
                case Talk(local, peer):
                    daemon.perform(daemon.node.talks_to(local, peer, daemon.now()))
                case FirstPacket():
                    self._first(notice)
        daemon.finish()

    def _first(self, packet: FirstPacket) -> None:
        """While a move is under way packets may still go by the link before."""
        assert self._daemon.mobile_node is not None
        attachments = self._daemon.mobile_node.attachments
        for place in (attachments.here, attachments.trial):
            if place is None or place.care_of_address != packet.care_of_address:
                continue
            if self._daemon.timeline.is_under_way(place.link, packet.at):
                out = packet.out
                phase = Phase.FIRST_PACKET_OUT if out else Phase.FIRST_PACKET_IN
                self._daemon.report(PhaseReached(phase, place.link), packet.at)
