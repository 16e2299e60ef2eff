"""Home agents that are found and lost: two on one home link, and one that forgets."""

import time

from . import checks, topology
from .interfaces import FRUITLESS_S
from .lab import wait_until
from .movement import MovementSession
from .session import SETTLE_S, boot_time

HEARD_S = 60.0
"""Within which a home agent hears of another one, which advertises every 4 seconds."""
AGAIN_S = 60.0
"""Within which a mobile node registers again with a home agent that has forgotten it;
it takes one, for duplicate address detection."""
TAKEN_S = 60.0
"""Within which another home agent is taken once one is known to be silent."""


class HomeAgentsSession(MovementSession):
    """What a scenario about several home agents is written with."""

    def hears_of(self, role: str, *others: str) -> None:
        """Waits until a home agent lists the others of the home link (§10.5.1)."""

        def listed() -> bool:
            known = (self.lab.ask(role, "agents") or {}).get("agents", [])
            return len(known) == 1 + len(others)

        heard = wait_until(listed, seconds=HEARD_S)
        self.check(f"{role} has heard of {', '.join(others)}", heard)

    def found(self, *home_agents: str) -> None:
        """The mobile node knows these, in this order, and the first one serves it."""
        status = (self.lab.ask("mn", "status") or {}).get("mobile_node", {})
        wanted = [str(topology.HOME_AGENTS[role]) for role in home_agents]
        known = [one["address"] for one in status.get("home_agents", [])]
        self.tell(f"the mobile node has found {', '.join(known) or 'nobody'}")
        self.check("the home agents were found, in their order", known == wanted)
        serves = status.get("home_agent") == wanted[0]
        self.check("the first one that is named serves", serves)

    def lose_state(self, link: str) -> None:
        """The machine of the home agent reboots without its disk: the mobile node is
        told by what its packets meet with, and registers again (§11.7.3, §11.3.6).

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self._pause("the home agent reboots, and its disk is lost")
        self._account.cuts.append(boot_time())
        self.lab.kill_daemon("ha")
        self.lab.forget("ha")
        self.tell("the home agent has rebooted without its disk; the streams go on")
        self.lab.start_daemons("ha")
        begin = boot_time()

        def bound() -> bool:
            return checks.care_of_address(self.lab) is not None

        again = wait_until(bound, seconds=AGAIN_S)
        took = boot_time() - begin
        said = f"{took:.1f} s after the home agent was ready"
        self.tell(f"registered again {said}" if again else "not registered again")
        self.check("the mobile node registers again by itself", again, said)
        self._settle("the home agent knew nothing any more", link)

    def lose_home_agent(self, gone: str, other: str, link: str) -> None:
        """The machine of the home agent is gone, and `other` is taken.

        Does nothing once the mobile node is astray.
        """
        if self._astray:
            return
        self._pause(f"the machine of {gone} is gone")
        begin = self.lab.lose(gone)
        self._account.cuts.append(begin)
        self.tell(f"the machine of {gone} is gone; the streams go on")
        wanted = str(topology.HOME_AGENTS[other])

        def taken() -> bool:
            status = (self.lab.ask("mn", "status") or {}).get("mobile_node", {})
            return (status.get("place"), status.get("home_agent")) == (
                "registered",
                wanted,
            )

        lifetime = self.lab.settings["lifetime"]
        self.check(
            f"{other} is taken in place of {gone}",
            wait_until(taken, seconds=lifetime + FRUITLESS_S + TAKEN_S, every=0.2),
        )
        self.tell(f"{other} is taken after {boot_time() - begin:.1f} s")
        self.lab.home_agent = other
        self._settle(f"without {gone}", link)
        time.sleep(SETTLE_S)
        self._account.without.append((gone, begin, boot_time()))
