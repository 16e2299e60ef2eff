"""What this machine was like before: enough to put it back after any end.

A small file, written before each change that nothing else would remember (sysctls,
addresses), read by `mip6 down` and by the next start when a daemon was killed.
"""

import json
import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path

_VERSION = 1
_SETTING = re.compile(r"net/ipv6/(conf|neigh)/(?!\.\.?/)[^/]{1,15}/[a-z_]+")
"""The only files below /proc/sys that anybody is to write because it is said here."""


@dataclass(slots=True)
class Journal:
    """`path` is /run/mip6/NAME.restore.json; /run is empty after a reboot, as is what
    the file speaks of."""

    path: Path
    device: str
    originals: dict[str, str] = field(default_factory=dict)
    addresses: set[tuple[IPv6Address, int, str]] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    """Links on which routes, proxies and filters of ours may be."""
    raised: set[str] = field(default_factory=set)
    """Links that were down and that we set up."""
    priorities: set[int] = field(default_factory=set)
    """Of the routing rules that are ours."""

    @classmethod
    def load(cls, path: Path) -> "Journal | None":
        """None when there is nothing to restore.  A file that cannot be read tells
        nothing, so it counts as absent."""
        try:
            document = json.loads(path.read_text())
            if document["version"] != _VERSION:
                return None
            if not all(map(_SETTING.fullmatch, document["sysctls"])):
                return None
            return cls(
                path=path,
                device=document["device"],
                originals=document["sysctls"],
                addresses={
                    (IPv6Address(address), length, link)
                    for address, length, link in document["addresses"]
                },
                links=set(document["links"]),
                raised=set(document["raised"]),
                priorities=set(document["priorities"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self) -> None:
        document = {
            "version": _VERSION,
            "device": self.device,
            "sysctls": self.originals,
            "addresses": sorted(
                [str(address), length, link] for address, length, link in self.addresses
            ),
            "links": sorted(self.links),
            "raised": sorted(self.raised),
            "priorities": sorted(self.priorities),
        }
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(document))
        new.replace(self.path)

    def address_added(self, address: IPv6Address, length: int, link: str) -> None:
        if (address, length, link) not in self.addresses:
            self.addresses.add((address, length, link))
            self.save()

    def address_removed(self, address: IPv6Address, length: int, link: str) -> None:
        if (address, length, link) in self.addresses:
            self.addresses.discard((address, length, link))
            self.save()

    def rule_added(self, priority: int) -> None:
        if priority not in self.priorities:
            self.priorities.add(priority)
            self.save()

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
