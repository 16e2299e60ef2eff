"""What this machine was like before: enough to put it back after any end.

A small file, written before each change that nothing else would remember (sysctls,
addresses), read by `mip6 down` and by the next start when a daemon was killed.  Care-of
addresses change with every move, in the middle of it: they are written behind the
document, a line each, which takes a twentieth of writing it anew.
"""

import json
import os
import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path

_VERSION = 1
_LINES_MAX = 200
"""Behind the document; then it is written anew, at a moment that is not a move's."""
_ADDED, _REMOVED = "+", "-"
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
    _lines: int = field(default=0, compare=False)

    @classmethod
    def load(cls, path: Path) -> "Journal | None":
        """None when there is nothing to restore.  A file that cannot be read tells
        nothing, so it counts as absent."""
        try:
            # A line that has no end was not finished, and what it says was not done.
            text, *lines = path.read_text().split("\n")
            document = json.loads(text)
            if document["version"] != _VERSION:
                return None
            if not all(map(_SETTING.fullmatch, document["sysctls"])):
                return None
            journal = cls(
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
            for line in lines[:-1]:
                change, address, length, link = json.loads(line)
                keep = journal.addresses.add
                if change == _REMOVED:
                    keep = journal.addresses.discard
                keep((IPv6Address(address), length, link))
            return journal
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
        new.write_text(json.dumps(document) + "\n")
        new.replace(self.path)
        self._lines = 0

    def _append(
        self, change: str, address: IPv6Address, length: int, link: str
    ) -> None:
        line = json.dumps([change, str(address), length, link]) + "\n"
        octets = line.encode()
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            self.save()
            return
        try:
            written = os.write(file, octets)
            if written < len(octets):  # the disk is full
                os.ftruncate(file, os.fstat(file).st_size - written)
                self.save()
                return
        finally:
            os.close(file)
        self._lines += 1

    def address_added(self, address: IPv6Address, length: int, link: str) -> None:
        if (address, length, link) not in self.addresses:
            self.addresses.add((address, length, link))
            self._append(_ADDED, address, length, link)

    def address_removed(self, address: IPv6Address, length: int, link: str) -> None:
        if (address, length, link) in self.addresses:
            self.addresses.discard((address, length, link))
            if self._lines < _LINES_MAX:
                self._append(_REMOVED, address, length, link)
            else:
                self.save()

    def rule_added(self, priority: int) -> None:
        if priority not in self.priorities:
            self.priorities.add(priority)
            self.save()

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
