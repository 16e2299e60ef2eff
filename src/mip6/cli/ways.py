"""Where a mobile node is, and how its packets get to correspondents, in words."""

from typing import Any

from .client import seconds

PLACES = {
    "nowhere": "nowhere: no link with a router",
    "at_home": "at home",
    "registering": "away, not registered yet",
    "registered": "away, registered",
    "returning": "at home, the home agent does not know yet",
}
"""Where a mobile node is."""
_WHY = {
    "registered": "",
    "restored": "as the daemon before this one had it",
    "testing": "return routability is under way",
    "updating": "it is being told",
    "home_registration": "the home agent has to know first",
    "at_home": "at home",
    "policy": "as configured",
    "no_answer": "it does not answer",
    "not_understood": "it does not know Mobile IPv6",
    "option_not_understood": "it refuses packets with a Home Address option",
    "unreachable": "the direct way does not get there",
    "path_too_narrow": "the direct way is too narrow",
    "refused": "it refuses",
    "kernel": "our kernel refused",
}


def why(word: str) -> str:
    """Why packets go the way that they go; "" where nothing is to be said."""
    return _WHY.get(word, word)


def way(entry: dict[str, Any]) -> str:
    """Direct or by way of the home agent, why, and until when."""
    reason = why(entry["why"])
    until = entry["until_s"]
    if entry["way"] == "direct":
        words = ["direct", *([reason] if reason else [])]
        words += [f"for {seconds(until)}"] if until is not None else []
        return ", ".join(words)
    words = ["via the home agent", reason]
    words += [f"asked again in {seconds(until)}"] if until is not None else []
    return ", ".join(words)
