"""`mip6 watch`: events as they happen, one a line."""

import argparse
import json
import time
from typing import Any

from .client import FINE, NotRunningError, add_name, follow, refused
from .ways import PLACES, why

_STEPS = {
    "link_up": "link up",
    "router_solicitation": "routers asked",
    "router_advertisement": "a router answered",
    "care_of_address": "care-of address in use",
    "binding_update": "Binding Update sent",
    "binding_acknowledgement": "home agent answered",
    "first_packet_in": "first packet to the home address",
    "first_packet_out": "first packet from the home address",
}


def add_parser(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    summary = "Events as they happen, one a line, until Ctrl-C."
    parser = subparsers.add_parser("watch", help=summary, description=summary)
    add_name(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document a line")


def run(arguments: argparse.Namespace) -> int:
    words = Words()
    try:
        for event in follow(arguments.name, "/events"):
            said = json.dumps(event) if arguments.json else words.line(event)
            print(said, flush=True)
    except (NotRunningError, PermissionError) as error:
        return refused(arguments.name, error)
    return FINE


class Words:
    """Events for people; a step of a move is told with its time since the link came
    up."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}

    def line(self, event: dict[str, Any]) -> str:
        milliseconds = int(event["time"] * 1000)
        clock = time.strftime("%H:%M:%S", time.localtime(milliseconds // 1000))
        return f"{clock}.{milliseconds % 1000:03}  {self._said(event)}"

    def _said(self, event: dict[str, Any]) -> str:
        match event["event"]:
            case "phase_reached":
                return self._step(event["link"], event["phase"], event["at"])
            case "place_changed":
                place = PLACES.get(event["place"], event["place"])
                facts = [event["care_of_address"], event["link"], event["detail"]]
                return ", ".join([f"place: {place}", *filter(None, facts)])
            case "way_changed":
                way = "directly" if event["direct"] else "by the home agent"
                reason = why(event["why"])
                return f"to {event['correspondent']}: {way}" + (
                    reason and f", {reason}"
                )
            case "problem":
                return ": ".join(
                    filter(None, ("problem", event["what"], event["advice"]))
                )
        said = " ".join(
            f"{name}={value}"
            for name, value in event.items()
            if name not in ("at", "time", "event") and value not in (None, "")
        )
        return f"{event['event'].replace('_', ' ')}: {said}"

    def _step(self, link: str, phase: str, at: float) -> str:
        said = f"{link}: {_STEPS.get(phase, phase)}"
        if phase == "link_up":
            self._began[link] = at
        elif link in self._began:
            said += f", {(at - self._began[link]) * 1000:.1f} ms"
        return said
