"""The home link gets another prefix, and loses the one it had (decision 0034)."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv6Address

from mip6.wire.record import record

from . import checks
from .home_agents import HomeAgentsSession
from .lab import wait_until
from .session import SETTLE_S, boot_time
from .topology import HOME_ADDRESS, NEW_HOME_ADDRESS, NEW_PREFIX, PREFIXES

TOLD_S = 120.0
"""Within which the mobile node has formed and registered its new home address: it is
told after some seconds, and duplicate address detection takes another one."""
ENDS_S = 12.0
"""Until the old prefix ends: time enough to be told, on a busy machine too."""
ANSWERED_S = 40.0
"""Within which a ping of three packets is answered whole."""
OVER_S = 120.0
"""Within which it is gone everywhere, counted from when that was said."""


@record
class _Known:
    """Of a moment: the home addresses by home agent and mobile node."""

    bound: dict[IPv6Address, IPv6Address]
    formed: list[IPv6Address]
    """The one for new connections first."""


class RenumberingSession(HomeAgentsSession):
    """What a scenario about another home prefix is written with."""

    def new_prefix(self, link: str) -> None:
        """`mip6 reload` at the home agent tells of it while the mobile node is on
        `link`: that has both home addresses then, and what flows to the first goes on.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self._pause(f"the home link gets the prefix {NEW_PREFIX}")
        self.lab.add_prefix()
        begin = boot_time()
        self.lab.say_prefixes(f'"{NEW_PREFIX}" = {{}}')
        self.tell(f"the home agent was told of {NEW_PREFIX} (mip6 reload)")
        self._both_on(link, "the new home address is registered too")
        took = boot_time() - begin
        self.tell(f"{NEW_HOME_ADDRESS} is registered after {took:.1f} s")
        self._answered(HOME_ADDRESS, NEW_HOME_ADDRESS)
        self._account.quiet.append(("another home prefix", begin, boot_time()))

    def move_both(self, link: str) -> None:
        """Moves the mobile node with both home addresses.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self._pause(f"move the mobile node's cable to link {link.upper()}")
        name = self._moved(self.lab.move(link))
        self.tell(f"{name}: the cable is in")
        time.sleep(SETTLE_S)
        self._both_on(link, f"both home addresses are registered on {link.upper()}")
        self._answered(HOME_ADDRESS, NEW_HOME_ADDRESS)
        self._look_back()

    def old_prefix_ends(self, link: str) -> None:
        """The old prefix is valid for some seconds more; then its home address is gone,
        at the mobile node on `link` and at the home agent.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self._pause(f"the prefix {PREFIXES['home']} ends")
        # What flows by it would be cut: that is not what is measured.
        self.stop_probes()
        end = datetime.now(UTC) + timedelta(seconds=ENDS_S)
        self.lab.say_prefixes(
            f'"{NEW_PREFIX}" = {{}}',
            f'"{PREFIXES["home"]}" = {{ valid_until = {end:%Y-%m-%dT%H:%M:%SZ} }}',
        )
        self.tell(f"{PREFIXES['home']} ends in {ENDS_S:.0f} s (mip6 reload)")

        def over() -> bool:
            known = self._known()
            return known.formed == [NEW_HOME_ADDRESS] and [*known.bound] == [
                NEW_HOME_ADDRESS
            ]

        gone = wait_until(over, seconds=OVER_S, every=0.2)
        self.check("the old home address is gone", gone, str(self._known()))
        self.tell(f"the mobile node is {NEW_HOME_ADDRESS} alone")
        self._answered(NEW_HOME_ADDRESS)
        wrong = checks.traces(self.lab, HOME_ADDRESS)
        detail = "; ".join(wrong)
        self.check("nothing of the old home address is left", not wrong, detail)

    def _both_on(self, link: str, what: str) -> None:
        both = {HOME_ADDRESS, NEW_HOME_ADDRESS}

        def registered() -> bool:
            known = self._known()
            return (
                {*known.formed} == both == known.bound.keys()
                and all(at in PREFIXES[link] for at in known.bound.values())
                and checks.place(self.lab) == "registered"
            )

        ok = wait_until(registered, seconds=TOLD_S, every=0.2)
        self._astray = not ok
        detail = str(self._known())
        if not ok:
            for role in ("mn", "ha"):
                detail += f"\n{role}'s log ends:\n{self.lab.last_words(role)}"
        self.check(what, ok, detail)

    def _answered(self, *home_addresses: IPv6Address) -> None:
        for address in home_addresses:
            ok = wait_until(
                partial(checks.answers_ping, self.lab, address), seconds=ANSWERED_S
            )
            self.check(f"a ping to {address} is answered", ok)

    def _known(self) -> _Known:
        bindings = (self.lab.ask("ha", "bindings") or {}).get("bindings", [])
        status = (self.lab.ask("mn", "status") or {}).get("mobile_node", {})
        homes = [status, *status.get("further_home_addresses", [])]
        return _Known(
            bound={
                IPv6Address(entry["home_address"]): IPv6Address(
                    entry["care_of_address"]
                )
                for entry in bindings
            },
            formed=[IPv6Address(h["home_address"]) for h in homes if h],
        )
