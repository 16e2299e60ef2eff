"""What holds where nobody says otherwise."""

from tests.core.bare_nodes import header, raw
from tests.support.core import (
    HOME_ADDRESS,
    HOME_AGENT,
    HOME_PREFIX,
    acknowledgement,
    binding_update,
    home_agent,
    sent,
)

from mip6.core.home_agent import HomeAgent
from mip6.core.node import Node
from mip6.wire.messages import UnknownMessage


def test_a_home_agent_grants_an_hour() -> None:
    role = HomeAgent(
        HOME_AGENT,
        HOME_PREFIX,
        home_link=None,
        bindings_max=1,
        authentication_required=False,
        mobile_nodes=(HOME_PREFIX,),
    )
    effects = role.receive(binding_update(lifetime=7200), 0.0)
    assert acknowledgement(effects).lifetime == 3600
    binding = role.binding(HOME_ADDRESS)
    assert binding is not None and binding.expires == 3600.0


def test_a_home_agent_is_neither_preferred_nor_shunned() -> None:
    """§7.4: the preference is 0."""
    assert home_agent().preference == 0


def test_a_node_sends_ten_errors_a_second() -> None:
    node = Node(home_agent=home_agent())
    unknown = raw(header(UnknownMessage(100, bytes(2))))

    def errors(now: float) -> int:
        return sum(len(sent(node.receive(unknown, now))) for _ in range(20))

    assert [errors(now) for now in (0.0, 0.5, 1.0)] == [10, 5, 5]
