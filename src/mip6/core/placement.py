"""Where a mobile node is in people's words, and that they are told once."""

from ipaddress import IPv6Address

from .attachments import Attachments
from .effects import Effect, Notify
from .events import Place, PlaceChanged
from .home_agents import HomeAgents

Told = tuple[IPv6Address, Place, IPv6Address | None, str | None]


class Placement:
    """The place that follows from where it is attached and what is registered."""

    def __init__(self, home_address: IPv6Address) -> None:
        self.place = Place.NOWHERE
        self.home_address = home_address
        self._told: Told | None = (home_address, Place.NOWHERE, None, None)

    def untold(self) -> None:
        """Nobody was told, so it is to be told again."""
        self._told = None

    def update(
        self,
        attachments: Attachments,
        home_agents: HomeAgents,
        now: float,
        *,
        waiting: bool = False,
    ) -> list[Effect]:
        """The notice, if it has changed.

        waiting: at home, and the home address cannot be used there yet.
        """
        here = attachments.here
        if here is None:
            place = Place.NOWHERE
        elif here.at_home:
            returning = waiting or now < home_agents.current.bound_until
            place = Place.RETURNING if returning else Place.AT_HOME
        else:
            standing = home_agents.standing(here.care_of_address, now)
            place = Place.REGISTERED if standing else Place.REGISTERING
        care_of_address, link = attachments.care_of_address, here.link if here else None
        told = (self.home_address, place, care_of_address, link)
        if told == self._told:
            return []
        self.place, self._told = place, told
        return [Notify(PlaceChanged(place, self.home_address, care_of_address, link))]
