"""Return routability at a correspondent (§9.4): tests that are answered without keeping
anything."""

from collections.abc import Set

from mip6.wire.messages import CareOfTest, CareOfTestInit, HomeTest, HomeTestInit

from .addresses import is_unicast_routable
from .effects import Effect, Notify, Send
from .events import Dropped
from .nonces import Nonces
from .packet import Packet
from .rate import TokenBucket


class TestAnswers:
    """rate, burst: tests answered a second, and at once, of either kind."""

    def __init__(self, nonces: Nonces, rate: float, burst: float) -> None:
        self._nonces = nonces
        # One each, so that a flood of one kind leaves the other its share.
        self._home = TokenBucket(rate, burst)
        self._care_of = TokenBucket(rate, burst)

    def home(
        self, packet: Packet, message: HomeTestInit, own: Set[int], now: float
    ) -> list[Effect]:
        """own: our addresses, as numbers."""
        if reason := _not_to_be_tested(packet, own):
            return [_dropped(reason, "9.4.1", packet)]
        if not self._home.take(now):
            return [_dropped("rate", "9.4.3", packet)]
        nonce = self._nonces.current(now)
        test = HomeTest(
            home_nonce_index=nonce.index,
            home_init_cookie=message.home_init_cookie,
            home_keygen_token=nonce.home_keygen_token(packet.source),
        )
        return [_answer(packet, test)]

    def care_of(
        self, packet: Packet, message: CareOfTestInit, own: Set[int], now: float
    ) -> list[Effect]:
        """own: our addresses, as numbers."""
        if reason := _not_to_be_tested(packet, own):
            return [_dropped(reason, "9.4.2", packet)]
        if not self._care_of.take(now):
            return [_dropped("rate", "9.4.4", packet)]
        nonce = self._nonces.current(now)
        test = CareOfTest(
            care_of_nonce_index=nonce.index,
            care_of_init_cookie=message.care_of_init_cookie,
            care_of_keygen_token=nonce.care_of_keygen_token(packet.source),
        )
        return [_answer(packet, test)]


def _not_to_be_tested(packet: Packet, own: Set[int]) -> str | None:
    if int(packet.destination) not in own:
        return "not_for_us"
    return None if is_unicast_routable(packet.source) else "source_address"


def _answer(packet: Packet, message: HomeTest | CareOfTest) -> Send:
    """To where the test was asked from, past any binding (§9.4.3, §9.4.4)."""
    return Send(
        Packet(source=packet.destination, destination=packet.source, message=message)
    )


def _dropped(reason: str, section: str, packet: Packet) -> Notify:
    return Notify(Dropped(reason, section, packet.source))
