"""One correspondent in the binding update list (§11.1): the binding there, how it comes
about, and what it means for the way of packets (§11.7.2 to §11.8).

It is aimed like the home registration: at a care-of address, at deleting the binding,
or at nothing.  A Binding Update needs the keygen tokens of return routability, and that
the home agent has acknowledged where we are.  The home keygen token is renewed before
it ends while there is traffic: then a move asks for nothing by way of the home agent.
"""

from collections.abc import Callable
from dataclasses import field
from ipaddress import IPv6Address
from math import inf

from mip6.wire.messages import BindingAcknowledgement, BindingStatus, BindingUpdate
from mip6.wire.options import TIME_UNIT
from mip6.wire.record import record

from .address_test import MAX_RO_FAILURE, Allowance
from .attachments import GRACE
from .packet import Packet
from .registration import (
    INITIAL_BINDACK_TIMEOUT,
    MAX_BINDACK_TIMEOUT,
    OUTSTANDING_MAX,
    REFRESH_SHARE,
    Aim,
)
from .return_routability import is_signed, sign
from .return_routability_procedure import ReturnRoutabilityProcedure
from .route_optimization import Why
from .sequence import beginning, follows
from .state import End, RouteOptimization
from .whereabouts import Whereabouts

MAX_RR_BINDING_LIFETIME = 420
"""Seconds of the longest binding at a correspondent (§12)."""
IDLE_AFTER = 60.0
"""Seconds without traffic after which nothing is renewed any more."""
GAIN_MIN = float(TIME_UNIT)
"""Seconds that a refresh must gain; else it waits for the home registration's."""
DOUBTED = 1
"""Retransmissions in vain after which new keygen tokens are asked for: a correspondent
that was started again may take old ones for wrong, and says nothing (§9.5.1)."""
PROVEN = 1.0
"""Seconds after an acknowledgement in which a Binding Error says nothing new: doubled
by each one that was believed, as anybody can send one (§11.3.6)."""
PROVEN_MAX = 8.0

NONCES_EXPIRED = {
    BindingStatus.EXPIRED_HOME_NONCE_INDEX,
    BindingStatus.EXPIRED_CARE_OF_NONCE_INDEX,
    BindingStatus.EXPIRED_NONCES,
}


@record
class Update:
    """A Binding Update whose acknowledgement still counts."""

    sent_at: float
    lifetime: int
    signed: IPv6Address
    """The care-of address to be bound, the home address to delete (§6.2.7)."""
    key: bytes = field(repr=False)


class CorrespondentRegistration:
    """random: that many random octets.
    authentication_required: whether only a protected Home Test counts (§11.6.3).
    restored: the direct way that an earlier process left.
    """

    def __init__(
        self,
        home_address: IPv6Address,
        correspondent: IPv6Address,
        *,
        random: Callable[[int], bytes],
        authentication_required: bool,
        now: float,
        restored: RouteOptimization | None = None,
    ) -> None:
        self.home_address = home_address
        self.correspondent = correspondent
        self.procedure = ReturnRoutabilityProcedure(
            home_address,
            correspondent,
            random=random,
            authentication_required=authentication_required,
        )
        self.talked_at = now
        """When there was traffic last."""
        self.always = False
        """Kept without traffic, too."""
        self.ask_again = 0.0
        """Seconds for which giving up holds."""
        self.care_of_address: IPv6Address | None = None
        """What the correspondent holds for certain; None while it may hold another."""
        self.granted = 0.0
        """Seconds granted by the last acknowledgement."""
        self.expires = -inf
        """When that ends, counted from sending (§11.7.3)."""
        self.bound_until = -inf
        """Until then it may hold some binding of ours."""
        self.status: int | None = None
        self.sequence_number: int | None = None
        """Of the last Binding Update sent."""
        self.retransmissions = 0
        self.given_up: Why | None = None
        self.ask_again_at = -inf
        self.restored = restored
        self._here = Whereabouts()
        self._now = now
        self._aim: Aim | None = None
        self._outstanding: dict[int, Update] = {}
        self._allowance = Allowance()
        self._timeout = INITIAL_BINDACK_TIMEOUT
        self._send_at = inf
        self._refresh_at = -inf
        self._asked = False
        # By a Binding Refresh Request, and not refreshed yet.
        self._doubted = False
        # New keygen tokens were asked for, as the Binding Update was not answered.
        self._failures = 0
        # Times in a row that it did not know nonces which it had just handed out.
        self._acknowledged_at = -inf
        self._proven = PROVEN
        self._at: IPv6Address | None = None
        # The care-of address of the last Binding Update that made a binding, and the
        # one before it.
        self._before: IPv6Address | None = None
        self._before_until = -inf
        if restored is not None:
            self._at = self.care_of_address = restored.care_of_address
            self.expires = self.bound_until = restored.expires

    # What it is.

    @property
    def awaiting(self) -> bool:
        """Whether a Binding Update waits for its acknowledgement."""
        return bool(self._outstanding)

    @property
    def expects_answer(self) -> bool:
        """Whether any message of ours may still be answered (§11.3.6)."""
        return self.awaiting or self.procedure.running

    def in_use(self, now: float) -> bool:
        return self.always or now - self.talked_at < IDLE_AFTER

    def finished(self, now: float) -> bool:
        """Nothing is left to be remembered."""
        kept = self.in_use(now) or now < self.ask_again_at
        return now >= self.bound_until and not kept

    def stands(self, care_of_address: IPv6Address | None, now: float) -> bool:
        """Whether the correspondent is known to send to this care-of address."""
        return (
            care_of_address is not None
            and care_of_address == self.care_of_address
            and now < self.expires
        )

    def direct(self, now: float) -> bool:
        """Whether packets to it leave by the direct way (§11.3.1)."""
        if self.given_up or (self._aim is not None and self._aim.delete):
            return False
        if self.restored:
            return now < self.expires
        return self.stands(self._here.care_of_address, now)

    def state(self, now: float) -> RouteOptimization | None:
        """What the data plane needs: both ways once the correspondent has acknowledged;
        before that, and while it may still send to an address of ours, inbound only."""
        if now >= self.bound_until:
            return None
        direct = self.direct(now)
        if self.restored and direct:
            return self.restored
        at = self._here.care_of_address or self._at
        assert at is not None  # else it would not be bound
        expires = self.expires if direct else self.bound_until
        previous, until = self._at, inf
        if previous == at:
            previous, until = self._before, self._before_until
        if previous is None or now >= until:
            previous, until = None, 0.0
        return RouteOptimization(
            end=End.MOBILE_NODE,
            home_address=self.home_address,
            correspondent=self.correspondent,
            care_of_address=at,
            expires=expires,
            previous=previous,
            previous_until=min(until, expires),
            inbound_only=not direct,
        )

    @property
    def why(self) -> Why:
        """Why packets take the way they take."""
        here = self._here
        if self.given_up:
            return self.given_up
        if self.direct(self._now):
            return Why.RESTORED if self.restored else Why.REGISTERED
        if here.at_home:
            return Why.AT_HOME
        if self._aim is not None and self._aim.delete:
            return Why.POLICY
        if not here.confirmed:
            return Why.HOME_REGISTRATION
        return Why.UPDATING if self._outstanding else Why.TESTING

    @property
    def deadline(self) -> float:
        """When `update` has something to do; inf for never."""
        now = self._now
        ends = (self.bound_until, self.expires, self._before_until, self.ask_again_at)
        moments = [at for at in (*ends, self.talked_at + IDLE_AFTER) if at > now]
        moments.append(
            self.procedure.deadline(self._here, now, fresh=self._keeps_fresh)
        )
        due_at = self._due_at
        if due_at > now or self._may_update:
            moments.append(max(due_at, self._allowance.at))
        return min(moments)

    # What happens to it.

    def update(self, now: float, here: Whereabouts, *, allowed: bool) -> list[Packet]:
        """The packets to send now, given where we are and what the policy allows."""
        if here.confirmed and not self._here.confirmed:
            # A correspondent that moved at the same moment was not to be found by its
            # home address when this was sent, beside the home registration (§5.2.9).
            self.procedure.care_of_test.repeat(now)
        self._now, self._here = now, here
        if now >= self.ask_again_at:
            self.given_up = None
        elsewhere = here.at_home or here.care_of_address not in (None, self._at)
        if elsewhere or here.stopping or now >= self.expires:
            self.restored = None
        self._take_aim(self._wanted(now, allowed), now)
        if self._due_at <= now:
            if self.retransmissions == DOUBTED and not self._doubted:
                self._doubted = True
                self.procedure.forget()
            self.procedure.need(self._bind, now)
        if self._keeps_fresh:
            self.procedure.keep_fresh(now)
        failed = self.procedure.failed(now)
        if self._aim is None or self._hopeless(failed, now):
            return []
        packets = self.procedure.packets(self._bind, here, now)
        return packets + self._binding_update(self._aim, now)

    def acknowledged(
        self, packet: Packet, message: BindingAcknowledgement, now: float
    ) -> str:
        """Take a Binding Acknowledgement in (§11.7.3); the reason if it is ignored."""
        if packet.tunnel is not None or packet.target != self.home_address:
            return "not_for_home_address"
        number = message.sequence_number
        sent = self._outstanding.get(number)
        if message.status in NONCES_EXPIRED:
            # Not signed (§9.5.4): it costs new tests, and nothing that stands.
            return "sequence_number" if sent is None else self._forgot(message, now)
        if message.status == BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW:
            # It carries the receiver's number, so any of them may be meant.
            every = self._outstanding.values()
            if not any(self._signed(packet, message, one) for one in every):
                return "unauthenticated"
            return self._renumber(number, now)
        if sent is None:
            return "sequence_number"
        if not self._signed(packet, message, sent):
            return "unauthenticated"
        self.status = message.status
        self.retransmissions = self._failures = 0
        self._doubted = False
        self._outstanding.clear()
        if message.status >= 128:
            self.give_up(Why.REFUSED, now)
        elif self._bind is None:
            self._deleted()
        else:
            self._accepted(sent, message, now)
        return ""

    def refresh_requested(self, now: float) -> str:
        """A Binding Refresh Request (§11.7.4): new tests, then a Binding Update.

        The reason if it is ignored: anybody can send one.
        """
        if not self.stands(self._bind, now):
            return "no_binding"
        if not self.in_use(now):
            return "binding_not_needed"
        early = now - self._acknowledged_at < GAIN_MIN
        if self._outstanding or self._asked or early:
            return "binding_refresh_request_too_soon"
        self._asked = True
        self.procedure.begin_anew(now)
        return ""

    def unknown_binding(self, care_of_address: IPv6Address, now: float) -> str:
        """A Binding Error with status 1, sent to `care_of_address` (§11.3.6): the
        binding is gone there, so all packets take the other way until there is a new
        one.

        The reason if it is ignored.  An acknowledgement a moment ago is the progress
        that proves it wrong; who was believed in vain is believed less often.
        """
        if not self.direct(now) or care_of_address != self.care_of_address:
            return "no_binding"
        if now - self._acknowledged_at < self._proven:
            return "binding_error_too_soon"
        self._proven = min(2 * self._proven, PROVEN_MAX)
        self.care_of_address = self.restored = None
        self._outstanding.clear()
        self.procedure.forget()
        self._send_at = now
        return ""

    def give_up(self, why: Why, now: float) -> None:
        """All packets through the home agent, and no question for a while."""
        self.given_up = why
        self.ask_again_at = now + self.ask_again
        self.care_of_address = self.restored = None

    def is_ours(self, message: object, source: IPv6Address) -> bool:
        """Whether `message`, quoted in an error, is one that waits for its answer."""
        if isinstance(message, BindingUpdate):
            aim = self._aim
            sent = message.sequence_number in self._outstanding
            return sent and aim is not None and source == aim.care_of_address
        return self.procedure.expects(message)

    # How it goes on.

    def _wanted(self, now: float, allowed: bool) -> Aim | None:
        """What the correspondent is to know (§11.7.2)."""
        here = self._here
        address = self.home_address if here.at_home else here.care_of_address
        if address is None or here.link is None:
            return None
        bound = now < self.bound_until
        refused = self.given_up is Why.KERNEL
        if here.at_home or here.stopping or refused or not allowed:
            return Aim(address, here.link, delete=True) if bound else None
        if self.given_up or not (self.in_use(now) or bound):
            return None
        return Aim(address, here.link)

    def _take_aim(self, aim: Aim | None, now: float) -> None:
        if aim == self._aim:
            return
        self._aim = aim
        self._outstanding.clear()
        self.procedure.stop()
        if aim is not None:
            self.status = None
        self.retransmissions = self._failures = 0
        self._doubted = False
        self._timeout = INITIAL_BINDACK_TIMEOUT
        self._asked = False
        self._send_at = now

    @property
    def _bind(self) -> IPv6Address | None:
        """The care-of address to be bound, if any."""
        aim = self._aim
        return None if aim is None or aim.delete else aim.care_of_address

    @property
    def _due_at(self) -> float:
        """When the next Binding Update is wanted, tokens and rate apart."""
        aim, now = self._aim, self._now
        if aim is None:
            return inf
        if aim.delete:
            return self._send_at
        if self._here.until - now < TIME_UNIT:
            return inf  # the home registration comes first
        if self._outstanding:
            return self._send_at
        if aim.care_of_address != self.care_of_address or self.restored:
            return self._send_at
        soon = self._send_at if self._failures else -inf
        if self.expires - self._here.until >= TIME_UNIT:
            return soon  # what ends earlier than it did is told (§11.4.2)
        ends = min(self._here.until, now + MAX_RR_BINDING_LIFETIME)
        gains = ends - self.expires >= GAIN_MIN
        if not gains or not self.in_use(now):
            return inf
        return soon if self._asked else max(soon, self._refresh_at)

    @property
    def _keeps_fresh(self) -> bool:
        """Whether a move may come that should not wait for a home test."""
        return self._bind is not None and self.in_use(self._now)

    @property
    def _may_update(self) -> bool:
        """The home agent has acknowledged (§11.7.2), and the tokens are there."""
        here = self._here
        told = here.confirmed or here.stopping
        return told and self.procedure.ready(self._bind, self._now)

    def _hopeless(self, failed: bool, now: float) -> bool:
        """Give up without an answer (§5.2.9), unless the correspondent may be sending
        to where we are not: then it must be told, however long it takes."""
        if not failed or now < self.expires or self._bind is None:
            return False
        self.give_up(Why.NO_ANSWER, now)
        self._take_aim(None, now)
        return True

    def _binding_update(self, aim: Aim, now: float) -> list[Packet]:
        if max(self._due_at, self._allowance.at) > now or not self._may_update:
            return []
        if self._outstanding:
            if self._hopeless(self.retransmissions >= MAX_RO_FAILURE, now):
                return []
            self.retransmissions += 1
            self._timeout = min(self._timeout * 2, MAX_BINDACK_TIMEOUT)
            if len(self._outstanding) == OUTSTANDING_MAX:
                del self._outstanding[next(iter(self._outstanding))]
        lifetime = 0
        if not aim.delete:
            seconds = min(self._here.until - now, MAX_RR_BINDING_LIFETIME)
            lifetime = int(seconds) // TIME_UNIT * TIME_UNIT
            self.bound_until = max(self.bound_until, now + lifetime)
            if aim.care_of_address != self._at:
                self._before, self._before_until = self._at, inf
                self._at = aim.care_of_address
        if aim.care_of_address != self.care_of_address:
            self.care_of_address = None
        last = self.sequence_number
        number = ((beginning(now) if last is None else last) + 1) % 0x10000
        self.sequence_number = number
        self._allowance.used(now)
        self._send_at = now + self._timeout
        signed = self.home_address if aim.delete else aim.care_of_address
        key, indices = self.procedure.key(self._bind)
        self._outstanding[number] = Update(now, lifetime, signed, key)
        update = BindingUpdate(
            sequence_number=number,
            lifetime=lifetime,
            acknowledge=True,
            options=(indices,),
        )
        at_home = aim.care_of_address == self.home_address
        packet = Packet(
            source=aim.care_of_address,
            destination=self.correspondent,
            home_address=None if at_home else self.home_address,
            message=sign(update, key, signed, self.correspondent),
            link=aim.link,
        )
        return [packet]

    def _signed(
        self, packet: Packet, message: BindingAcknowledgement, sent: Update
    ) -> bool:
        return is_signed(
            message, packet.payload, sent.key, sent.signed, self.correspondent
        )

    def _accepted(
        self, sent: Update, message: BindingAcknowledgement, now: float
    ) -> None:
        self.restored = None
        self._asked = False
        self._timeout = INITIAL_BINDACK_TIMEOUT
        self.granted = min(message.lifetime, sent.lifetime)
        if not self.granted:
            self.give_up(Why.REFUSED, now)
            return
        self._acknowledged_at = now
        self.care_of_address = sent.signed
        self.expires = self._send_at = sent.sent_at + self.granted
        if message.sequence_number == self.sequence_number:
            self.bound_until = now + self.granted
        self._refresh_at = sent.sent_at + self.granted * REFRESH_SHARE
        self._before_until = min(self._before_until, now + GRACE)

    def _deleted(self) -> None:
        self.care_of_address = self._at = self._before = None
        self.expires = self.bound_until = self._before_until = -inf
        self.granted = 0.0
        self.procedure.forget()

    def _forgot(self, message: BindingAcknowledgement, now: float) -> str:
        """Status 136 to 138: the tokens are of no use any more (§11.7.3)."""
        self.status = message.status
        self._outstanding.clear()
        if message.status != BindingStatus.EXPIRED_CARE_OF_NONCE_INDEX:
            self.procedure.forget_home_token()
        if message.status != BindingStatus.EXPIRED_HOME_NONCE_INDEX and self._bind:
            self.procedure.forget_care_of_token(self._bind)
        self._failures += 1
        if not self._hopeless(self._failures > MAX_RO_FAILURE, now):
            self._send_at = now
            if self._failures > 1:
                self._timeout = min(self._timeout * 2, MAX_BINDACK_TIMEOUT)
                self._send_at += self._timeout
        return ""

    def _renumber(self, last: int, now: float) -> str:
        """Status 135: go on from the number that the correspondent has (§11.7.3)."""
        assert self.sequence_number is not None  # else nothing would be outstanding
        if follows(self.sequence_number, last):
            # About an older Binding Update; the last one is in its window.
            return "sequence_number_in_window"
        again = self.status == BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW
        self.status = BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW
        self.sequence_number = last
        if not again:
            self._outstanding.clear()
            self._send_at = now
        # Else it contradicts itself: the retransmission, backing off, is soon enough.
        return ""
