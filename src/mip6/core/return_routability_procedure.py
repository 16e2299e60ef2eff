"""The return routability procedure with one correspondent (§5.2.5, §11.6): which tests
are under way, and the keygen tokens they brought."""

from collections.abc import Callable
from ipaddress import IPv6Address
from math import inf

from mip6.wire.messages import CareOfTest, CareOfTestInit, HomeTest, HomeTestInit
from mip6.wire.options import NonceIndices

from .address_test import AddressTest, KeygenToken
from .packet import Packet
from .return_routability import binding_management_key
from .whereabouts import Whereabouts

TOKENS_MAX = 4
"""Care-of addresses whose keygen tokens are kept, for a move back (§11.6.1)."""


class ReturnRoutabilityProcedure:
    """A care-of address of None in arguments is that of a binding to be deleted, which
    the home keygen token alone authorizes (§5.2.5).

    random: that many random octets.
    authentication_required: whether only a protected Home Test counts (§11.6.3).
    """

    def __init__(
        self,
        home_address: IPv6Address,
        correspondent: IPv6Address,
        *,
        random: Callable[[int], bytes],
        authentication_required: bool,
    ) -> None:
        self.home_address = home_address
        self.correspondent = correspondent
        self.home_test = AddressTest()
        self.care_of_test = AddressTest()
        self._random = random
        self._authentication_required = authentication_required
        self._home_token: KeygenToken | None = None
        self._care_of_tokens: dict[IPv6Address, KeygenToken] = {}
        self._since = -inf
        # Older tokens do not count: new tests were asked for.

    @property
    def running(self) -> bool:
        return self.home_test.running or self.care_of_test.running

    def failed(self, now: float) -> bool:
        """A test is due again and was sent as often as it may be in vain (§5.2.9)."""
        return self.home_test.failed(now) or self.care_of_test.failed(now)

    def ready(self, care_of_address: IPv6Address | None, now: float) -> bool:
        """Whether all tokens are there for a Binding Update."""
        return self._home_ready(now) and self._care_of_ready(care_of_address, now)

    def home_token_until(self, now: float) -> float | None:
        token = self._home_token
        return token.until if token and now < token.until else None

    def deadline(self, here: Whereabouts, now: float, *, fresh: bool) -> float:
        """When `packets` has something to send or `keep_fresh` to do; inf for never.

        fresh: whether the home keygen token is to be kept fresh.
        """
        at = inf
        if here.confirmed:
            at = min(at, self.home_test.deadline)
        if self._care_of_test_may_go(here, now):
            at = min(at, self.care_of_test.deadline)
        token = self._home_token
        if fresh and token and not self.home_test.running:
            at = min(at, token.renew_at)
        return at

    def need(self, care_of_address: IPv6Address | None, now: float) -> None:
        """Test for the tokens that are missing."""
        if not self._home_ready(now):
            self.home_test.begin(now)
        if not self._care_of_ready(care_of_address, now):
            self.care_of_test.begin(now)

    def keep_fresh(self, now: float) -> None:
        """Renew the home keygen token before it ends (§5.2.7)."""
        if self._home_token is None or self._home_token.renew_at <= now:
            self.home_test.begin(now)

    def stop(self) -> None:
        """Nobody waits for an answer any more; what is known stays."""
        self.home_test.stop()
        self.care_of_test.stop()
        self._since = -inf

    def begin_anew(self, now: float) -> None:
        """Whatever is known, a Binding Update needs new tests."""
        self._since = now

    def forget_home_token(self) -> None:
        self._home_token = None

    def forget_care_of_token(self, care_of_address: IPv6Address) -> None:
        self._care_of_tokens.pop(care_of_address, None)

    def forget(self) -> None:
        """The correspondent takes none of the tokens it gave (§9.5.3)."""
        self._home_token = None
        self._care_of_tokens.clear()

    def key(self, care_of_address: IPv6Address | None) -> tuple[bytes, NonceIndices]:
        """The binding management key (§5.2.5), and how the correspondent finds it; only
        if `ready`."""
        home = self._home_token
        assert home is not None
        if care_of_address is None:
            # No care-of nonce takes part (§11.7.2).
            return binding_management_key(home.token), NonceIndices(home.nonce_index, 0)
        care_of = self._care_of_tokens[care_of_address]
        key = binding_management_key(home.token, care_of.token)
        return key, NonceIndices(home.nonce_index, care_of.nonce_index)

    def packets(
        self, care_of_address: IPv6Address | None, here: Whereabouts, now: float
    ) -> list[Packet]:
        """The messages that are due.  With the home keygen token at hand the care-of
        test runs beside the home registration; else both leave at once, as soon as
        there is a tunnel for the other (§11.6.1)."""
        packets = []
        if here.confirmed and self.home_test.deadline <= now:
            cookie = self._random(8)
            self.home_test.sent(self.home_address, cookie, now)
            packets.append(
                Packet(
                    source=self.home_address,
                    destination=self.correspondent,
                    message=HomeTestInit(home_init_cookie=cookie),
                    tunnel=here.tunnel,
                    link=here.link,
                )
            )
        due = self.care_of_test.deadline <= now
        if care_of_address and due and self._care_of_test_may_go(here, now):
            cookie = self._random(8)
            self.care_of_test.sent(care_of_address, cookie, now)
            packets.append(
                Packet(
                    source=care_of_address,
                    destination=self.correspondent,
                    message=CareOfTestInit(care_of_init_cookie=cookie),
                    link=here.link,
                )
            )
        return packets

    def home_tested(self, packet: Packet, message: HomeTest, here: Whereabouts) -> str:
        """Take a Home Test in (§11.6.2); the reason if it is ignored, or ""."""
        if packet.tunnel != (here.tunnel and here.tunnel[::-1]):
            return "not_out_of_the_tunnel"
        protected = packet.protected_for == self.home_address
        if self._authentication_required and packet.tunnel and not protected:
            return "unauthenticated"
        cookie = message.home_init_cookie
        if reason := self.home_test.expects(packet.destination, cookie):
            return reason
        self._home_token = self.home_test.passed(
            cookie, message.home_keygen_token, message.home_nonce_index
        )
        return ""

    def care_of_tested(self, packet: Packet, message: CareOfTest) -> str:
        """Take a Care-of Test in (§11.6.2); the reason if it is ignored, or ""."""
        if packet.tunnel is not None:
            return "tunnelled"
        address, cookie = packet.destination, message.care_of_init_cookie
        if reason := self.care_of_test.expects(address, cookie):
            return reason
        tokens = self._care_of_tokens
        tokens.pop(address, None)
        while len(tokens) >= TOKENS_MAX:
            del tokens[next(iter(tokens))]
        tokens[address] = self.care_of_test.passed(
            cookie, message.care_of_keygen_token, message.care_of_nonce_index
        )
        return ""

    def expects(self, message: object) -> bool:
        """Whether `message`, quoted in an error, is one of a running test."""
        match message:
            case HomeTestInit():
                return self.home_test.is_of(message.home_init_cookie)
            case CareOfTestInit():
                return self.care_of_test.is_of(message.care_of_init_cookie)
            case _:
                return False

    def _home_ready(self, now: float) -> bool:
        return self._usable(self._home_token, now)

    def _care_of_ready(self, care_of_address: IPv6Address | None, now: float) -> bool:
        if care_of_address is None:
            return True
        return self._usable(self._care_of_tokens.get(care_of_address), now)

    def _usable(self, token: KeygenToken | None, now: float) -> bool:
        return (
            token is not None and now < token.until and token.tested_at >= self._since
        )

    def _care_of_test_may_go(self, here: Whereabouts, now: float) -> bool:
        return here.confirmed or (here.told and self._home_ready(now))
