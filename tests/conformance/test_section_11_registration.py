"""RFC 6275 §11.1, §11.7, §11.8: the mobile node's home registration."""

from ipaddress import IPv6Address
from itertools import pairwise

import pytest
from tests.conformance.nodes import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, dropped
from tests.conformance.roamer import PREFIX_B, PREFIX_C, ROUTER_B, ROUTER_C, Roamer

from mip6.core.effects import Notify
from mip6.core.events import Problem
from mip6.core.registration import MAX_UPDATE_RATE
from mip6.core.sequence import beginning, follows
from mip6.wire.options import BindingRefreshAdvice, UnknownOption

# §11.1 and the registration of §11.7.1


@pytest.mark.rfc("11.7.1-2", "H")
@pytest.mark.rfc("11.7.1-3", "A")
@pytest.mark.rfc("11.5.4-3", "H and A for a new care-of address")
@pytest.mark.rfc("11.7.1-4", "the home address in its option")
@pytest.mark.rfc("11.7.1-18", "so that the policy finds it")
@pytest.mark.rfc("11.7.2-10", "always, away from home")
@pytest.mark.rfc("11.7.1-5", "the care-of address as source")
@pytest.mark.rfc("11.7.1-6", "and in its option")
@pytest.mark.rfc("11.7.2-8", "so that it is told in any case")
@pytest.mark.rfc("11.7.2-4", "one that is in use")
@pytest.mark.rfc("6.1.7-10", "of the link that the packet leaves by")
@pytest.mark.rfc("11.7.1-10", "K is 0")
@pytest.mark.rfc("6.1.7-2", "K is 0 with keys that are configured")
@pytest.mark.rfc("11.7.1-11", "a lifetime")
def test_registration() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    (sent,) = roamer.updates
    packet, update = sent.packet, sent.update
    assert packet.destination == HOME_AGENT
    assert packet.home_address == HOME_ADDRESS
    assert packet.link == "eth0"
    assert packet.source in PREFIX_B
    assert sent.care_of_address == packet.source
    assert roamer.care_of_addresses == {packet.source}
    assert update.home_registration
    assert update.acknowledge
    assert not update.key_management_mobility_capability
    assert update.lifetime == 400


@pytest.mark.rfc("11.7.1-7", "L with the home address's interface identifier")
@pytest.mark.rfc("11.7.1-8", "and only with it")
@pytest.mark.parametrize(
    ("home_address", "compatible"),
    [("2001:db8:a::ff:fe00:5", True), ("2001:db8:a::1", False)],
)
def test_link_local_compatibility(home_address: str, compatible: bool) -> None:
    roamer = Roamer(home_address=IPv6Address(home_address))
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert roamer.updates[0].update.link_local_address_compatibility == compatible


@pytest.mark.rfc("11.7.1-25", "no longer than the care-of address stays valid")
@pytest.mark.parametrize(("valid", "asked"), [(86400, 400), (103, 100), (100, 100)])
def test_lifetime_ends_with_the_care_of_address(valid: int, asked: int) -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B, valid=valid, preferred=valid)
    assert roamer.updates[0].update.lifetime == asked


@pytest.mark.rfc("11.1-1", "what was registered where, and until when")
@pytest.mark.rfc("8.5-1", "a Binding Update List is kept")
@pytest.mark.rfc("11.7.1-19", "sending writes it")
@pytest.mark.rfc("11.7.3-7", "and the acknowledgement marks it")
@pytest.mark.rfc("11.7.1-1", "before, the care-of address is not the primary one")
def test_binding_update_list() -> None:
    roamer = Roamer()
    entry = roamer.mobile_node.registration
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    (sent,) = roamer.updates
    assert (entry.home_address, entry.home_agent) == (HOME_ADDRESS, HOME_AGENT)
    assert entry.sequence_number == sent.update.sequence_number
    assert entry.sent_at == roamer.now
    assert not entry.stands(sent.care_of_address, roamer.now)
    roamer.answer()
    assert entry.stands(sent.care_of_address, roamer.now)
    assert (entry.status, entry.expires) == (0, roamer.now + 400)
    assert roamer.tunnel is not None
    assert roamer.tunnel.care_of_address == sent.care_of_address


@pytest.mark.rfc("11.1-2", "the entry goes at the end of its lifetime")
@pytest.mark.rfc("11.7.1-22", "and then all begins as for a new home address")
@pytest.mark.rfc("11.8-2", "with 1.5 s for its first answer")
def test_binding_runs_out(roamer: Roamer) -> None:
    entry = roamer.mobile_node.registration
    roamer.wait(399)
    assert entry.alive(roamer.now)
    assert roamer.tunnel is not None
    roamer.wait(1)
    assert not entry.alive(roamer.now)
    assert roamer.tunnel is None
    roamer.link_down()
    roamer.wait(1000)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(2)
    first, second = roamer.updates[-2:]
    assert second.at - first.at == pytest.approx(1.5)


@pytest.mark.rfc("11.1-3", "sequence numbers modulo 65536")
@pytest.mark.rfc("11.7.2-11", "each number greater than the one before")
@pytest.mark.rfc("11.8-7", "repetitions too")
@pytest.mark.rfc("11.7.2-13", "none twice")
def test_sequence_numbers() -> None:
    roamer = Roamer(seed=1)
    roamer.mobile_node.registration.sequence_number = 0xFFFD
    roamer.register()
    roamer.wait(250)
    roamer.answer()
    roamer.wait(250)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.wait(20)
    numbers = [sent.update.sequence_number for sent in roamer.updates]
    assert numbers == [(0xFFFE + n) % 0x10000 for n in range(len(numbers))]
    assert len(numbers) > 6


@pytest.mark.parametrize("elapsed", [0.5, 1, 10, 3600])
@pytest.mark.parametrize("started", [0.0, 20.1, 8191.9])
def test_a_process_begins_above_the_one_before(started: float, elapsed: float) -> None:
    """Whatever was sent before it was killed, as fast as it may be: what is still
    under way must not pass for newer (decision 0018)."""
    sent = MAX_UPDATE_RATE * (int(elapsed) + 1)
    last = (beginning(started) + sent) % 0x10000
    assert follows((beginning(started + elapsed) + 1) % 0x10000, last)


def test_first_sequence_number() -> None:
    roamer = Roamer()
    roamer.register()
    first = roamer.updates[0]
    assert first.update.sequence_number == beginning(first.at) + 1


# §11.7.1, §11.8: repetition


@pytest.mark.rfc("11.7.1-14", "repeated until acknowledged")
@pytest.mark.rfc("11.8-3", "until its answer comes")
@pytest.mark.rfc("11.8-2", "1.5 s for the first answer ever")
@pytest.mark.rfc("11.8-4", "doubling up to 32 s")
@pytest.mark.rfc("11.7.1-16", "and then at that rate")
def test_back_off() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(200)
    times = [sent.at for sent in roamer.updates]
    gaps = [round(b - a, 3) for a, b in pairwise(times)]
    assert gaps[:7] == [1.5, 3, 6, 12, 24, 32, 32]
    assert set(gaps[7:]) == {32}
    roamer.answer()
    roamer.wait(100)
    assert len(roamer.updates) == len(times)


@pytest.mark.rfc("11.8-5", "another care-of address begins its own back-off")
def test_back_off_begins_anew() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.wait(30)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    moved = len(roamer.updates)
    assert roamer.updates[-1].at == roamer.now
    roamer.wait(4)
    first, second, *_ = roamer.updates[moved - 1 :]
    assert second.at - first.at <= 1.5


@pytest.mark.rfc("11.7.1-13", "stopped, it de-registers")
def test_stop(roamer: Roamer) -> None:
    roamer.do(roamer.mobile_node.stop(roamer.now))
    assert roamer.updates[-1].update.lifetime == 0
    assert not roamer.mobile_node.stopped
    roamer.answer()
    assert roamer.mobile_node.stopped
    assert roamer.mobile_node.installed == set()


# §11.7.3


@pytest.mark.rfc("11.7.3-1", "from the home agent, for us, to this very update")
@pytest.mark.rfc("11.7.3-5", "else ignored silently")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": CORRESPONDENT}, "not_from_home_agent"),
        ({"routing_address": None}, "not_for_home_address"),
        ({"sequence_number": 7}, "sequence_number"),
        ({"tunnel": (HOME_AGENT, HOME_AGENT)}, "not_from_home_agent"),
    ],
)
def test_other_acknowledgements(changes: dict[str, object], reason: str) -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert dropped(roamer.answer(**changes)) == reason
    assert roamer.mobile_node.registration.status is None
    roamer.wait(1.6)
    assert len(roamer.updates) == 2


@pytest.mark.rfc("11.7.3-5", "an unprotected one too, where protection is required")
def test_unprotected_acknowledgement() -> None:
    roamer = Roamer(authentication_required=True)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    assert dropped(roamer.answer()) == "unauthenticated"
    assert roamer.mobile_node.registration.status is None
    roamer.receive(roamer.acknowledgement(), protected_for=HOME_ADDRESS)
    assert roamer.tunnel is not None


@pytest.mark.rfc("11.7.3-8", "acknowledged, it is not repeated")
@pytest.mark.rfc("6.1.8-4", "unknown options or not")
def test_acknowledged() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer(options=(UnknownOption(222, b"?"),))
    roamer.wait(100)
    assert len(roamer.updates) == 1


@pytest.mark.rfc("11.7.3-9", "less granted than asked for")
def test_shorter_lifetime() -> None:
    roamer = Roamer(lifetime=400)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    sent = roamer.now
    roamer.wait(1)
    roamer.answer(lifetime=100)
    # 399 s of the 400 were left, less the 300 that were not granted.
    assert roamer.mobile_node.registration.expires == sent + 100
    assert roamer.tunnel is not None
    assert roamer.tunnel.expires == sent + 100


@pytest.mark.rfc("11.7.3-10", "refreshed well before the end")
def test_refresh(roamer: Roamer) -> None:
    roamer.wait(400 * 0.9)
    _, refresh, *_ = roamer.updates
    # Time for several losses: 1, 2, 4, 8, 16 and 32 s.
    assert roamer.updates[0].at + 200 < refresh.at < roamer.updates[0].at + 400 - 63


@pytest.mark.rfc("11.7.3-17", "refreshed when the home agent advises it")
@pytest.mark.rfc("10.3.1-32", "at the shorter interval")
@pytest.mark.rfc("6.2.4-1", "of the option")
def test_binding_refresh_advice() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer(options=(BindingRefreshAdvice(40),))
    roamer.wait(39)
    assert len(roamer.updates) == 1
    roamer.wait(1)
    assert len(roamer.updates) == 2


@pytest.mark.rfc("11.7.3-11", "135 sets the sequence number")
@pytest.mark.rfc("11.7.1-20", "and the next update follows it")
@pytest.mark.rfc("11.1-3", "compared modulo 65536")
@pytest.mark.parametrize(("own", "last"), [(10, 20000), (10, 11), (65000, 10)])
def test_sequence_number_out_of_window(own: int, last: int) -> None:
    roamer = Roamer()
    roamer.mobile_node.registration.sequence_number = own - 1
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer(status=135, sequence_number=last)
    assert roamer.updates[-1].update.sequence_number == last + 1
    assert roamer.updates[-1].at == roamer.now
    roamer.answer()
    assert roamer.tunnel is not None


@pytest.mark.rfc("11.7.3-12", "an unauthenticated 135 is ignored")
def test_unauthenticated_sequence_number() -> None:
    roamer = Roamer(authentication_required=True)
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    before = roamer.mobile_node.registration.sequence_number
    packet = roamer.acknowledgement(status=135, sequence_number=before + 1000)
    assert dropped(roamer.receive(packet)) == "unauthenticated"
    assert roamer.mobile_node.registration.sequence_number == before
    roamer.receive(packet, protected_for=HOME_ADDRESS)
    assert roamer.mobile_node.registration.sequence_number == before + 1001


@pytest.mark.rfc("11.7.3-6", "every status leads somewhere")
@pytest.mark.rfc("11.7.3-14", "a refusal is remembered")
@pytest.mark.parametrize("status", [128, 129, 130, 131, 132, 133, 134, 139, 174, 255])
def test_refusals(status: int) -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    effects = roamer.answer(status=status)
    problems = [
        effect.event
        for effect in effects
        if isinstance(effect, Notify) and isinstance(effect.event, Problem)
    ]
    assert problems
    assert roamer.mobile_node.registration.refused
    assert roamer.tunnel is None
    roamer.wait(1000)
    later = [sent.at for sent in roamer.updates[1:]]
    if status == 134:
        assert later == []
    else:
        assert later
        assert min(later) >= 1000 + 30


@pytest.mark.rfc("11.7.1-23", "after 134 the home address is not tried again")
def test_duplicate_home_address() -> None:
    roamer = Roamer()
    roamer.link_up()
    roamer.hear(PREFIX_B, ROUTER_B)
    roamer.answer(status=134)
    roamer.link_down()
    roamer.link_up()
    roamer.hear(PREFIX_C, ROUTER_C)
    roamer.wait(3600)
    assert len(roamer.updates) == 1
