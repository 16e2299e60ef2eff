"""The name servers of the visited links: whom they see when the mobile node asks."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from pathlib import Path

from . import topology
from .lab import wait_until
from .namespaces import LabError
from .session import Session
from .topology import HOME_ADDRESS, PREFIXES, RESOLVERS, ROUTER_OF

IPV4_RESOLVER = "203.0.113.53"
IPV4_ADDRESS = "203.0.113.100"
"""Of the mobile node, given to it by hand; every visited link has that net, as private
ones are the same everywhere."""
READY_S = 60.0
ANSWERED_S = 60.0
"""Within which a question is answered, asked again and again."""
COMMAND = [sys.executable, "-m", "mip6.lab.resolver"]


class Resolvers:
    """One behind the router of each visited link, of IPv6 and of IPv4."""

    def __init__(self, session: Session) -> None:
        """Returns when they listen; the mobile node has an IPv4 address, too."""
        self._session = session
        self._lab = session.lab
        topology.add_resolvers(self._lab.name)
        for link, address in RESOLVERS.items():
            role = ROUTER_OF[link]
            self._address(role, f"{IPV4_RESOLVER}/24", "eth1")
            record = self._record(link)
            command = [*COMMAND, "serve", str(record), str(address), IPV4_RESOLVER]
            self._lab.spawn(role, command, log=record.with_suffix(".log"))
        self._address("mn", f"{IPV4_ADDRESS}/24", "eth0")
        self._ipv4 = self._ipv4_now()
        records = [self._record(link) for link in RESOLVERS]
        if not wait_until(lambda: all(map(Path.exists, records)), seconds=READY_S):
            said = "".join(path.with_suffix(".log").read_text() for path in records)
            raise LabError(f"the name servers do not start:\n{said}")

    def ask(self, where: str, *links: str) -> None:
        """The mobile node is on link `where` and asks the name servers of `links`: the
        questions come from its care-of address, and are answered."""
        for link in links:
            source = self._asked(str(RESOLVERS[link]))
            known = source is not None and IPv6Address(source) in PREFIXES[where]
            name = f"on link {where.upper()} the name server of {link.upper()}"
            self._session.check(
                f"{name} sees the care-of address, and answers", known, str(source)
            )
            self._session.tell(f"{name} was asked from {source}")
        self._look_at_ipv4(where)

    @contextmanager
    def asking(self, link: str) -> Iterator[None]:
        """Questions to the name server of `link` all the time."""
        log = self._lab.directory / "asking.log"
        command = [*COMMAND, "keep-asking", str(RESOLVERS[link])]
        process = self._lab.spawn("mn", command, log=log)
        yield
        process.terminate()
        process.wait()

    def saw(self) -> None:
        """What the name servers saw in all that time: never the home address."""
        for link in RESOLVERS:
            lines = self._record(link).read_text(encoding="utf-8").splitlines()[1:]
            clients = {line for line in lines if ":" in line}
            strangers = {
                client
                for client in clients
                if not any(IPv6Address(client) in PREFIXES[one] for one in RESOLVERS)
            }
            name = f"the name server of link {link.upper()}"
            detail = f"{len(lines)} questions from {', '.join(sorted(clients))}"
            never = str(HOME_ADDRESS) not in clients
            self._session.check(f"{name} never saw the home address", never, detail)
            alone = bool(clients) and not strangers
            self._session.check(f"{name} saw care-of addresses only", alone, detail)
            self._session.tell(f"{name}: {detail}")

    def _asked(self, server: str) -> str | None:
        """Where a question came from that was answered."""
        said = self._lab.run("mn", [*COMMAND, "ask", server, str(ANSWERED_S)])
        source: str | None = json.loads(said)
        return source

    def _look_at_ipv4(self, where: str) -> None:
        now = self._ipv4_now()
        changed = [
            f"{old!r} became {new!r}"
            for old, new in zip(self._ipv4, now, strict=True)
            if old != new
        ]
        name = f"on link {where.upper()}"
        self._session.check(
            f"{name}: IPv4 is untouched", not changed, "; ".join(changed)
        )
        source = self._asked(IPV4_RESOLVER)
        self._session.check(
            f"{name}: a name server is asked by IPv4", source == IPV4_ADDRESS
        )

    def _ipv4_now(self) -> list[str]:
        """Addresses, routes and rules, as `ip` shows them."""
        shown = (["addr", "show"], ["route", "show", "table", "all"], ["rule", "show"])
        return [self._lab.run("mn", ["ip", "-4", "-o", *words]) for words in shown]

    def _address(self, role: str, address: str, interface: str) -> None:
        self._lab.run(role, ["ip", "addr", "add", address, "dev", interface])

    def _record(self, link: str) -> Path:
        return self._lab.directory / f"resolver-{link}.txt"
