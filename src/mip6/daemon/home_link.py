"""What other sections need to know of `[home_agent]`."""

from ipaddress import IPv6Address, IPv6Network
from typing import Protocol

from mip6.core.prefixes import HomePrefix


class HomeLinked(Protocol):
    @property
    def address(self) -> IPv6Address: ...
    @property
    def home_link(self) -> str | None: ...
    @property
    def home_prefix(self) -> IPv6Network: ...
    @property
    def prefixes_said(self) -> tuple[HomePrefix, ...]: ...
