"""What a binding stands for in the kernel, and from one to the next (§10.4)."""

from dataclasses import replace

from tests.support.core import (
    HOME_ADDRESS,
    HOME_AGENT,
    NEXT_CARE_OF_ADDRESS,
    binding_update,
    home_agent,
)

from mip6.core.effects import Install
from mip6.core.interception import Interception
from mip6.core.state import End, Tunnel


def test_where_the_prefix_is_routed_a_refresh_is_another_tunnel_only() -> None:
    """Decision 0002: one entry; and none at all if nothing has changed."""
    role = home_agent()
    role.receive(binding_update(1), 0.0)
    before = role.binding(HOME_ADDRESS)
    assert before is not None
    after = replace(before, care_of_address=NEXT_CARE_OF_ADDRESS, expires=90.0)
    interception = Interception(HOME_AGENT, "mip0", None)
    tunnel = Tunnel(
        end=End.HOME_AGENT,
        home_address=HOME_ADDRESS,
        care_of_address=NEXT_CARE_OF_ADDRESS,
        home_agent=HOME_AGENT,
        expires=90.0,
    )
    assert interception.change(before, after) == [Install(tunnel)]
    assert interception.change(after, after) == []
