"""The kernel state of bindings by itself (§10.4.1)."""

from dataclasses import replace

import pytest
from tests.support.core import CARE_OF_ADDRESS, HOME_ADDRESS, HOME_AGENT

from mip6.core.binding_cache import Binding
from mip6.core.effects import Install, Remove
from mip6.core.interception import Interception
from mip6.core.state import Route, Tunnel

BINDING = Binding(
    home_address=HOME_ADDRESS,
    care_of_address=CARE_OF_ADDRESS,
    home_registration=True,
    sequence_number=1,
    lifetime=60,
    expires=60.0,
)


@pytest.mark.parametrize("path_mtu", [None, 1400], ids=["a tunnel", "a route beside"])
def test_a_refresh_installs_the_tunnel_anew_and_nothing_else(
    path_mtu: int | None,
) -> None:
    made = Interception(HOME_AGENT, "mip0", None)
    before = replace(BINDING, path_mtu=path_mtu)
    after = replace(before, expires=90.0)
    [effect] = made.change(before, after)
    assert isinstance(effect, Install) and isinstance(effect.state, Tunnel)
    assert effect.state.expires == 90.0
    assert made.change(after, after) == []


def test_a_path_that_narrows_gets_a_route() -> None:
    made = Interception(HOME_AGENT, "mip0", None)
    narrow = replace(BINDING, path_mtu=1400)
    [effect] = made.change(BINDING, narrow)
    assert isinstance(effect, Install) and isinstance(effect.state, Route)
    assert effect.state.mtu == 1360
    assert made.change(narrow, BINDING) == [Remove(effect.state)]
