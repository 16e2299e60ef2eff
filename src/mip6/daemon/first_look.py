"""What an operator should know at the start: about the configuration, and about what
this machine lacks for it."""

from collections.abc import Iterator

from mip6.core.events import Problem

from .configuration import Configuration
from .machine import Machine


def problems(configuration: Configuration, machine: Machine) -> Iterator[Problem]:
    if configuration.authentication == "none":
        yield Problem(
            "authentication is off: whoever can send packets here can move or "
            "delete the bindings of the listed home addresses",
            "use it in closed networks only",
        )
    for link in machine.wanted_links():
        if link not in machine.links:
            yield Problem(
                f"there is no interface {link} yet",
                "it is used as soon as it appears; or correct its name",
            )
    for link, why in machine.not_attached.items():
        yield Problem(f"packets from {link} are not looked at: {why}")
    home_agent = configuration.home_agent
    if home_agent is None:
        return
    if not machine.has_address():
        yield Problem(
            f"{home_agent.address} is not an address of this machine",
            "add it to an interface, or correct address in [home_agent]",
        )
    if not machine.forwards():
        yield Problem(
            "IPv6 forwarding is off: nothing reaches the mobile nodes",
            "sysctl -w net.ipv6.conf.all.forwarding=1",
        )
