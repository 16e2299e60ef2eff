"""The home registration: the mobile node's side of its one binding at the home agent
(§11.7.1, §11.7.3, §11.8).

It is aimed at a care-of address, at the home address to de-register, or at nothing,
and then says what to send and when.  What stands at the home agent and what was only
asked for are kept apart: `care_of_address` and `expires` are what it granted.
"""

from collections import deque
from dataclasses import field, replace
from ipaddress import IPv6Address
from math import inf

from mip6.wire.messages import BindingAcknowledgement, BindingStatus, BindingUpdate
from mip6.wire.options import TIME_UNIT, AlternateCareOfAddress, BindingRefreshAdvice
from mip6.wire.record import record
from mip6.wire.revocation import (
    BindingRevocation,
    RevocationStatus,
    RevocationType,
)

from .events import Problem
from .packet import Packet
from .sequence import beginning, follows

INITIAL_BINDACK_TIMEOUT = 1.0
"""Seconds (§12)."""
INITIAL_BINDACK_TIMEOUT_FIRST = 1.5
"""Seconds, while the home agent has no binding: it checks for duplicates (§13)."""
MAX_BINDACK_TIMEOUT = 32.0
"""Seconds (§12)."""
RESPITE = MAX_BINDACK_TIMEOUT
"""Seconds for which a refusal is respected before we ask again."""
MAX_UPDATE_RATE = 3
"""Binding Updates in a second (§12)."""
UPDATE_WINDOW = 1.02
"""A little over that second: the executor may send one late and the next in time."""
OUTSTANDING_MAX = 8
"""Transmissions of one Binding Update whose acknowledgement still counts."""
TRIES = 3
"""Transmissions without an answer after which another way is tried: one second, two and
four have passed."""
UNDER_WAY_MAX = 3.0
"""Seconds that a Binding Update may take to the home agent."""
REFRESH_SHARE = 0.75
"""Part of the lifetime after which it is refreshed: time for several losses."""

ADVICE: dict[int, tuple[str, str]] = {
    128: ("reason unspecified", "look into the home agent's log"),
    129: (
        "administratively prohibited",
        "ask the operator of the home agent to allow this home address",
    ),
    130: (
        "insufficient resources at the home agent",
        "raise its limit of bindings, or look into its log",
    ),
    131: (
        "it does not support home registration",
        "check that home_agent names a home agent",
    ),
    132: (
        "the home address is not of its home subnet",
        "compare home_address with the home agent's home_prefix",
    ),
    133: (
        "it is not the home agent of this mobile node",
        "compare home_agent and home_address with its configuration",
    ),
    134: (
        "another node on the home link uses the home address",
        "find that node, or configure another home address; then start again",
    ),
    139: (
        "it holds a binding of the other kind for the home address",
        "nothing: the other binding ends with its lifetime",
    ),
    144: ("the identifier of the message did not match", "compare the clocks"),
    145: ("it wants an identifier in the message", "compare the configurations"),
    146: ("authentication failed", "compare key and SPI of the two sides"),
    174: (
        "it refuses the care-of address",
        "look at the visited link: its prefix is not global, or is the home agent's",
    ),
}
"""What a status means to the operator, and what to do about it (§6.1.8)."""
NO_ADVICE = (
    "a status that is for others or not known here",
    "look into the home agent's log, or update the one of the two that is older",
)

DELETED = {
    BindingStatus.ACCEPTED,
    BindingStatus.ACCEPTED_BUT_PREFIX_DISCOVERY_NECESSARY,
    # It knows of no binding: that is what we asked for (§10.3.2).
    BindingStatus.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE,
}
"""Answers to a de-registration after which no binding stands."""


@record
class Aim:
    """What the home agent is to know."""

    care_of_address: IPv6Address
    """The home address itself at home, where the binding is to be deleted."""
    link: str
    delete: bool = False
    link_local: IPv6Address | None = field(default=None, compare=False)
    tentative: bool = field(default=False, compare=False)
    """What stands goes on being used until this is acknowledged."""
    adopted: bool = field(default=False, compare=False)
    """The routing rules lead packets of this source out by the link."""
    patient: bool = field(default=False, compare=False)
    """Nobody answered this way a moment ago: asked seldom."""


def update_times() -> deque[float]:
    """When the last Binding Updates were sent to one home agent, as many as the rate
    is about (§11.8)."""
    return deque(maxlen=MAX_UPDATE_RATE)


class Registration:
    """The entry of the home agent in the binding update list (§11.1).

    recent: shared with those of other home addresses at this home agent (§11.8).
    """

    def __init__(
        self,
        home_address: IPv6Address,
        home_agent: IPv6Address | None,
        *,
        lifetime: float,
        authentication_required: bool,
        recent: deque[float] | None = None,
    ) -> None:
        self.home_address = home_address
        self.home_agent = home_agent
        """None: nobody is known yet who could be asked."""
        self.lifetime = lifetime
        """Seconds asked for."""
        self.sequence_number: int | None = None
        """Of the last Binding Update sent."""
        self.care_of_address: IPv6Address | None = None
        """What the home agent holds for certain; None while it may hold another."""
        self.granted = 0.0
        """Seconds granted by the last acknowledgement."""
        self.expires = -inf
        """When that ends, counted from sending (§11.7.3)."""
        self.bound_until = -inf
        """Until then the home agent may hold some binding."""
        self.status: int | None = None
        """Of the last acknowledgement."""
        self.revoked_at: float | None = None
        """When the home agent ended the binding (RFC 5846 §10); None again when it has
        accepted or refused the next."""
        self.sent_at: float | None = None
        self.sent = False
        """Whether a Binding Update for the present aim was sent."""
        self.asked_at = -inf
        """When the last one was, or the aim taken before there was one."""
        self.retransmissions = 0
        self.given_up = False
        """Status 134: this home address must not be used again (§11.7.1)."""
        self._authentication_required = authentication_required
        self._aim: Aim | None = None
        self._outstanding: dict[int, tuple[float, int]] = {}
        # By sequence number: when it was sent, and the lifetime it asked for.
        self._recent = update_times() if recent is None else recent
        self._timeout = INITIAL_BINDACK_TIMEOUT
        self._send_at = inf
        self._refresh_at = inf
        self._known = False
        # This home agent has accepted something, so it knows Mobile IPv6.
        self._unsure = False
        # It may hold the care-of address of a tentative aim instead.
        self._at_once = False
        # The last answer is one that we can follow: 135, or 144 for the first time.
        self._registering_at = -inf
        # When the last one was sent that does not delete.

    @property
    def aim(self) -> Aim | None:
        return self._aim

    @property
    def awaiting(self) -> bool:
        """Whether a Binding Update waits for its acknowledgement."""
        return bool(self._outstanding)

    @property
    def refused(self) -> bool:
        """The last answer to the present aim was a refusal, not to be asked at once."""
        return self.status is not None and self.status >= 128 and not self._at_once

    @property
    def deadline(self) -> float:
        """When `update` has something to send; inf for never."""
        if self._aim is None or self.home_agent is None:
            return inf
        return max(self._send_at, self._allowed_at)

    @property
    def problem(self) -> Problem | None:
        """What an operator should know about the last status (§6.1.8)."""
        status = self.status
        if status == BindingStatus.ACCEPTED_BUT_PREFIX_DISCOVERY_NECESSARY:
            what = "the home agent's prefixes change soon"
            return Problem(what, "compare home_prefix with what it advertises")
        if not self.refused:
            return None
        if self.revoked_at is not None:
            what = "the home agent revoked the binding"
            return Problem(what, "its administrator knows why; it is asked again later")
        why, advice = ADVICE.get(status or 0, NO_ADVICE)
        return Problem(f"registration refused ({status}): {why}", advice)

    def alive(self, now: float) -> bool:
        """Whether the home agent granted some binding that has not ended."""
        return now < self.expires

    def stands(self, care_of_address: IPv6Address | None, now: float) -> bool:
        """Whether the home agent is known to tunnel to this care-of address."""
        return (
            care_of_address is not None
            and care_of_address == self.care_of_address
            and now < self.expires
        )

    def restore(self, expires: float) -> None:
        """An earlier process registered, until `expires`: that may still stand."""
        self.expires = self.bound_until = expires

    def take_aim(self, aim: Aim | None, now: float) -> None:
        """Register this from now on; nothing is sent for what stands already."""
        if aim == self._aim:
            if aim is not None and self.sent and not aim.tentative:
                self._settled_for(aim)
            self._aim = aim
            return
        self._aim = aim
        self.sent = False
        self.asked_at = now
        self._outstanding.clear()
        self.retransmissions = 0
        self.status = None
        self._send_at = inf
        if aim is None or self.given_up:
            return
        stands = self.stands(aim.care_of_address, now) and not self._unsure
        if not aim.delete and stands:
            self.status = BindingStatus.ACCEPTED
            self._send_at = self._refresh_at
        else:
            self._begin(now)

    def renew(self, now: float) -> bool:
        """The home agent says it has no binding: register again (§11.3.6).

        False if that is under way or was a moment ago, since anybody can say so; for
        the same reason what stands goes on being used.
        """
        quiet = self.sent_at is None or now - self.sent_at >= INITIAL_BINDACK_TIMEOUT
        if self._aim is None or self._outstanding or self.given_up or not quiet:
            return False
        self._begin(now)
        return True

    def update(self, now: float, valid_until: float) -> Packet | None:
        """The Binding Update to send now, if one is due and the rate allows it.

        No lifetime goes beyond `valid_until`, the end of the care-of address (§11.7.1).
        """
        aim = self._aim
        if aim is None or now < self.deadline:
            return None
        if self._outstanding:
            self.retransmissions += 1
            self._timeout = min(self._timeout * 2, MAX_BINDACK_TIMEOUT)
            if len(self._outstanding) == OUTSTANDING_MAX:
                del self._outstanding[next(iter(self._outstanding))]
        lifetime = 0
        if not aim.delete:
            seconds = min(self.lifetime, valid_until - now)
            lifetime = max(int(seconds) // TIME_UNIT, 1) * TIME_UNIT
            self.bound_until = max(self.bound_until, now + lifetime)
            self._registering_at = now
        self._settled_for(aim)
        last = self.sequence_number
        number = ((beginning(now) if last is None else last) + 1) % 0x10000
        self.sequence_number = number
        self._outstanding[number] = (now, lifetime)
        self._recent.append(now)
        self.sent = True
        self.sent_at = self.asked_at = now
        self._send_at = now + self._timeout
        return self._packet(aim, number, lifetime)

    def fruitless(self, now: float) -> bool:
        """Whether it is time to send once more, and to do so another way."""
        if self._aim is None or not self._outstanding or now < self.deadline:
            return False
        return self._aim.patient or self.retransmissions + 1 >= TRIES

    def acknowledged(
        self, packet: Packet, message: BindingAcknowledgement, now: float
    ) -> str:
        """Take a Binding Acknowledgement in; the reason if it is ignored, or ""."""
        if reason := self._unwanted(packet):
            return reason
        if message.status == BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW:
            return self._renumber(message.sequence_number, now)
        sent = self._outstanding.get(message.sequence_number)
        if sent is None:
            return "sequence_number"
        assert self._aim is not None
        self._outstanding.clear()
        self.retransmissions = 0
        before, self.status = self.status, message.status
        self.revoked_at = None
        self._at_once = False
        if self._aim.delete and message.status in DELETED:
            self._deleted(message.status, now)
        elif message.status >= 128:
            self._refused(before, now)
        else:
            self._accepted(self._aim, message, *sent, now)
        return ""

    def not_understood(self, sequence_number: int, now: float) -> bool:
        """An ICMP error says that the home agent knows no Mobility Header (§11.3.5).

        False unless it quotes a Binding Update that waits for its acknowledgement.  A
        home agent that accepted one before is only being started again.
        """
        if sequence_number not in self._outstanding or self._known:
            return False
        self._send_at = now + RESPITE
        return True

    def postpone(self, now: float) -> None:
        """Status 134 is not the last word: ask again as after another refusal."""
        self.given_up = False
        self._send_at = now + RESPITE

    def _accepted(
        self,
        aim: Aim,
        message: BindingAcknowledgement,
        sent_at: float,
        asked: int,
        now: float,
    ) -> None:
        self.granted = min(message.lifetime, asked)
        self.expires = sent_at + self.granted
        self.care_of_address = aim.care_of_address
        self._known = True
        self._unsure = False
        if message.sequence_number == self.sequence_number:
            self.bound_until = now + self.granted
        self._timeout = INITIAL_BINDACK_TIMEOUT
        interval = self.granted * REFRESH_SHARE
        for option in message.options:
            if isinstance(option, BindingRefreshAdvice) and option.refresh_interval:
                interval = min(interval, option.refresh_interval)
        # A grant of nothing is no binding: ask again as after a refusal.
        self._refresh_at = sent_at + interval if self.granted else now + RESPITE
        self._send_at = self._refresh_at

    def _deleted(self, status: int, now: float) -> None:
        self.status = BindingStatus.ACCEPTED
        overtaken = self._registering_at + UNDER_WAY_MAX
        if status not in (0, 1) and now < overtaken:
            # It knows of no binding, but a Binding Update may still be on its way to
            # it, overtaken by the de-registration: it would come last and stand.
            self._send_at = overtaken
            return
        self.expires = self.bound_until = -inf
        self._send_at = inf

    def _refused(self, before: int | None, now: float) -> None:
        self.given_up = self.status == BindingStatus.DUPLICATE_ADDRESS_DETECTION_FAILED
        if self.given_up:
            self.bound_until = self.expires
        # The clock was set by what it told (RFC 4285 §6); again, that did not help.
        self._at_once = (
            self.status == BindingStatus.MESSAGE_IDENTIFIER_MISMATCH != before
        )
        self._send_at = inf if self.given_up else now + RESPITE
        if self._at_once:
            self._send_at = now
        self._timeout = self._initial_timeout(now)

    def _renumber(self, last: int, now: float) -> str:
        """Status 135: go on from the number the home agent has (§11.7.3)."""
        assert self.sequence_number is not None  # else nothing would be outstanding
        if follows(self.sequence_number, last):
            # About an older Binding Update; the last one is in its window.
            return "sequence_number_in_window"
        again = self.status == BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW
        self.status = BindingStatus.SEQUENCE_NUMBER_OUT_OF_WINDOW
        self._at_once = True
        self.sequence_number = last
        if not again:
            self._outstanding.clear()
            self._send_at = now
        # Else it contradicts itself: the retransmission, backing off, is soon enough.
        return ""

    def revoked(
        self, packet: Packet, message: BindingRevocation, now: float
    ) -> Packet | str:
        """The home agent ends the binding (RFC 5846 §10): the acknowledgement to send;
        or why the message is ignored.

        Registering again at once would undo what the administrator wants; it is done
        as after status 129.  Never after 134: it was said of the home address, and is
        as true when the binding from before has gone (RFC 6275 §11.7.1).
        """
        if reason := self.not_from_home_agent(packet):
            return reason
        if message.revocation_type != RevocationType.INDICATION:
            return "unexpected_message"
        if packet.routing_address is None or not self.alive(now) or self._aim is None:
            return "revocation_of_no_binding"
        status = RevocationStatus.SUCCESS
        if message.proxy_binding:
            status = RevocationStatus.PROXY_BINDING_NOT_SUPPORTED
        elif message.ipv4_home_address_only:
            status = RevocationStatus.IPV4_HOME_ADDRESS_OPTION_REQUIRED
        else:
            self._outstanding.clear()
            self.expires = self.bound_until = -inf
            self.care_of_address = None
            if not self.given_up:
                self.status = BindingStatus.ADMINISTRATIVELY_PROHIBITED
                self.revoked_at = now
                self._send_at = now + RESPITE
        answer = replace(
            message,
            revocation_type=RevocationType.ACKNOWLEDGEMENT,
            code=status,
            options=(),
        )
        return Packet(
            source=packet.destination,
            destination=packet.source,
            home_address=self.home_address,
            message=answer,
            link=self._aim.link,
        )

    def not_from_home_agent(self, packet: Packet) -> str:
        """The first test of §11.7.3 that no message of the home agent may fail."""
        if packet.source != self.home_agent or packet.tunnel is not None:
            return "not_from_home_agent"
        if packet.target != self.home_address:
            return "not_for_home_address"
        protected = packet.protected_for == self.home_address
        if self._authentication_required and not protected:
            return "unauthenticated"
        return ""

    def _unwanted(self, packet: Packet) -> str:
        """The first test of §11.7.3 that a Binding Acknowledgement fails, or ""."""
        if reason := self.not_from_home_agent(packet):
            return reason
        if not self._outstanding:
            return "no_binding_update_outstanding"
        return ""

    def _settled_for(self, aim: Aim) -> None:
        """A Binding Update for this was sent: what stood before may be no more."""
        if aim.care_of_address == self.care_of_address and not aim.delete:
            return
        if aim.tentative:
            self._unsure = True
        else:
            self.care_of_address = None

    def _begin(self, now: float) -> None:
        self._outstanding.clear()
        self.retransmissions = 0
        self._timeout = self._initial_timeout(now)
        if self._aim is not None and self._aim.patient:
            self._timeout = MAX_BINDACK_TIMEOUT
        self._send_at = now

    def _initial_timeout(self, now: float) -> float:
        bound = now < self.bound_until
        return INITIAL_BINDACK_TIMEOUT if bound else INITIAL_BINDACK_TIMEOUT_FIRST

    @property
    def _allowed_at(self) -> float:
        """When the next Binding Update may leave (§11.8)."""
        full = len(self._recent) == MAX_UPDATE_RATE
        return self._recent[0] + UPDATE_WINDOW if full else -inf

    def _packet(self, aim: Aim, number: int, lifetime: int) -> Packet:
        assert self.home_agent is not None  # else `update` has nothing to send
        at_home = aim.care_of_address == self.home_address
        identifier = self.home_address.packed[8:]
        return Packet(
            source=aim.care_of_address,
            destination=self.home_agent,
            home_address=None if at_home else self.home_address,
            message=BindingUpdate(
                sequence_number=number,
                lifetime=lifetime,
                acknowledge=True,
                home_registration=True,
                link_local_address_compatibility=aim.link_local is not None
                and aim.link_local.packed[8:] == identifier,
                options=()
                if at_home
                else (AlternateCareOfAddress(aim.care_of_address),),
            ),
            link=None if aim.adopted else aim.link,
        )
