from io import StringIO
from ipaddress import IPv6Address

from mip6.core.events import (
    BindingChanged,
    Change,
    Dropped,
    HomeAgentsChanged,
    Phase,
    PhaseReached,
    Place,
    PlaceChanged,
    Problem,
    Refused,
)
from mip6.daemon.feed import described
from mip6.daemon.log import Log
from mip6.daemon.timeline import Timeline

HOME, CARE_OF = IPv6Address("2001:db8:a::100"), IPv6Address("2001:db8:b::1")


def test_one_line_an_event() -> None:
    stream = StringIO()
    log = Log("debug", stream=stream)
    log.event(BindingChanged(Change.MOVED, HOME, CARE_OF, 600.0), 0)
    log.event(Refused(HOME, CARE_OF, 132), 0)
    log.event(PlaceChanged(Place.AT_HOME, HOME, None, "eth0"), 0)
    log.event(PhaseReached(Phase.LINK_UP, "eth0"), 0)
    log.event(Problem("it is so", 'say "no"'), 0)
    assert stream.getvalue().splitlines() == [
        "binding change=moved home_address=2001:db8:a::100 "
        "care_of_address=2001:db8:b::1 lifetime_s=600",
        "refused home_address=2001:db8:a::100 care_of_address=2001:db8:b::1 status=132",
        "place place=at_home home_address=2001:db8:a::100 link=eth0",
        "phase phase=link_up link=eth0",
        r'problem what="it is so" advice="say \"no\""',
    ]


def test_an_event_as_json() -> None:
    event = described(HomeAgentsChanged(None, (HOME, CARE_OF)), 1.0)
    assert event["at"] == 1.0 and event["event"] == "home_agents_changed"
    assert event["current"] is None
    assert event["known"] == "2001:db8:a::100, 2001:db8:b::1"


def test_the_level_and_the_journals_priority() -> None:
    stream = StringIO()
    log = Log("warning", stream=stream, journal=True)
    log.event(Refused(HOME, CARE_OF, 132), 0)
    log.event(Problem("now"), 0)
    assert stream.getvalue() == "<4>problem what=now\n"


def test_repeated_drops_are_counted_not_written() -> None:
    stream = StringIO()
    log = Log(stream=stream)
    for moment in (0.0, 1.0, 9.9, 10.0):
        log.event(Dropped("checksum", "9.2", HOME), moment)
    log.event(Dropped("other", "9.3", None, "octet 3"), 1.0)
    assert stream.getvalue().splitlines() == [
        "dropped reason=checksum section=9.2 source=2001:db8:a::100",
        "dropped reason=checksum section=9.2 source=2001:db8:a::100 left_out=2",
        'dropped reason=other section=9.3 detail="octet 3"',
    ]


def test_what_a_peer_writes_cannot_break_a_line() -> None:
    stream = StringIO()
    Log(stream=stream).event(Dropped("x", "9.2", HOME, 'a\nready name="b"'), 0)
    assert stream.getvalue().count("\n") == 1


def test_a_closed_stream_stops_nobody() -> None:
    class Gone(StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    Log(stream=Gone()).event(Problem("now"), 0)


def test_moves_begin_with_the_carrier_and_are_limited() -> None:
    timeline = Timeline()
    timeline.reached(PhaseReached(Phase.LINK_UP, "eth0"), 10.0)
    timeline.reached(PhaseReached(Phase.ROUTER_SOLICITATION, "eth0"), 10.0005)
    timeline.reached(PhaseReached(Phase.ROUTER_SOLICITATION, "eth0"), 11.0)
    [move] = timeline.moves
    assert move.started_at == 10.0
    assert move.phases_ms == {Phase.LINK_UP: 0.0, Phase.ROUTER_SOLICITATION: 0.5}
    for number in range(200):
        timeline.reached(PhaseReached(Phase.LINK_UP, "eth0"), 20.0 + number)
    assert len(timeline.moves) == 100 and timeline.moves[-1].started_at == 219.0
