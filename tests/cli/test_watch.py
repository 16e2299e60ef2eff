"""What `mip6 watch` says of events, in people's words."""

import re
from typing import Any

import pytest

from mip6.cli.watch import Words

AT = {"at": 100.0, "time": 1795437521.9995}
PLACE = {"event": "place_changed", "home_address": "2001:db8:a::100", "detail": ""}


def said(*events: dict[str, Any]) -> list[str]:
    words = Words()
    lines = [words.line({**AT, **event}) for event in events]
    assert all(re.match(r"\d\d:\d\d:41\.999  ", line) for line in lines)
    return [line[14:] for line in lines]


def test_steps_count_from_the_link() -> None:
    def step(phase: str, at: float, link: str = "eth0") -> dict[str, Any]:
        return {"event": "phase_reached", "phase": phase, "link": link, "at": at}

    assert said(
        step("binding_update", 99.0),  # of a move that began before
        step("link_up", 100.0),
        step("router_advertisement", 100.00125),
        step("care_of_address", 100.5, "eth1"),
        step("first_packet_out", 100.0105),
        step("later_version", 100.02),
        step("link_up", 200.0),
        step("router_solicitation", 200.0005),
    ) == [
        "eth0: Binding Update sent",
        "eth0: link up",
        "eth0: a router answered, 1.2 ms",
        "eth1: care-of address in use",
        "eth0: first packet from the home address, 10.5 ms",
        "eth0: later_version, 20.0 ms",
        "eth0: link up",
        "eth0: routers asked, 0.5 ms",
    ]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            PLACE | {"place": "registered", "care_of_address": "::1", "link": "eth0"},
            "place: away, registered, ::1, eth0",
        ),
        (
            PLACE | {"place": "at_home", "care_of_address": None, "link": "eth0"},
            "place: at home, eth0",
        ),
        (
            {"event": "way_changed", "correspondent": "::2", "direct": False}
            | {"why": "not_understood"},
            "to ::2: by the home agent, it does not know Mobile IPv6",
        ),
        (
            {"event": "way_changed", "correspondent": "::2", "direct": True}
            | {"why": "registered"},
            "to ::2: directly",
        ),
        (
            {"event": "problem", "what": "no router answers", "advice": "log in"},
            "problem: no router answers: log in",
        ),
        (
            {"event": "problem", "what": "no router answers", "advice": ""},
            "problem: no router answers",
        ),
        (
            {"event": "binding_changed", "change": "moved", "correspondent": None},
            "binding changed: change=moved",
        ),
    ],
)
def test_events_in_words(event: dict[str, Any], text: str) -> None:
    assert said(event) == [text]
