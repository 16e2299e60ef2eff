"""One whole IPv6 packet as the core sees it: addresses, wrapping, decoded message."""

from dataclasses import dataclass, field
from ipaddress import IPv6Address

from mip6.wire.icmpv6 import IcmpMessage
from mip6.wire.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """The same value on the way in and on the way out.

    `source` and `destination` are those of the IPv6 header on the link.  A Home Address
    option and a type 2 routing header stand beside them, undone; `origin` and `target`
    are the addresses the upper layer, and so its checksum, sees (§6.1.1, §9.3.1).
    """

    source: IPv6Address
    destination: IPv6Address
    message: Message | IcmpMessage
    home_address: IPv6Address | None = None
    """Home Address option (§6.3)."""
    routing_address: IPv6Address | None = None
    """Home address in the type 2 routing header (§6.4)."""
    tunnel: tuple[IPv6Address, IPv6Address] | None = None
    """Outer source and destination, when it came or goes through a tunnel."""
    hop_limit: int = 64
    link: str | None = None
    """In: the link it came by, where known.  Out: the link it must leave by."""
    protected_for: IPv6Address | None = None
    """The home address whose security association protected it; only `security` sets
    it (DESIGN §5, Trust)."""
    octets: bytes = field(default=b"", repr=False, compare=False)
    """As received, without the tunnel's outer header; empty on the way out."""

    @property
    def origin(self) -> IPv6Address:
        return self.home_address or self.source

    @property
    def target(self) -> IPv6Address:
        return self.routing_address or self.destination
