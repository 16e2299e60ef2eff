"""A Binding Update to a correspondent: its form, its proof, its answer (§9.5.1)."""

from collections.abc import Collection
from functools import partial

from mip6.wire.messages import BindingAcknowledgement, BindingStatus, BindingUpdate
from mip6.wire.options import (
    AlternateCareOfAddress,
    BindingAuthorizationData,
    NonceIndices,
)

from .addresses import is_unicast_routable
from .nonces import Nonces, ends_of
from .packet import Packet
from .return_routability import BLANK, binding_management_key, is_signed, prove


class Request:
    """A Binding Update, and what was made of it."""

    __slots__ = (
        "care_of_address",
        "ends",
        "home_address",
        "indices",
        "key",
        "packet",
        "signed_for",
        "update",
    )

    def __init__(self, packet: Packet, update: BindingUpdate) -> None:
        home_address = packet.origin
        self.packet = packet
        self.update = update
        self.home_address = home_address
        self.ends = ends_of(packet.destination, home_address)
        # The Alternate Care-of Address where there is one (§9.5.1).
        self.care_of_address = packet.source
        self.indices: NonceIndices | None = None
        for option in reversed(update.options):  # of two the first counts
            if isinstance(option, NonceIndices):
                self.indices = option
            elif isinstance(option, AlternateCareOfAddress):
                self.care_of_address = option.care_of_address
        # Whoever deletes a binding is where the home address is (§6.2.7).
        self.signed_for = self.care_of_address if update.lifetime else home_address
        self.key = b""
        """The binding management key; empty where there is none to sign answers with.
        """

    def fault(self, own: Collection[int]) -> tuple[str, str] | None:
        """What it must be, at one of our own addresses, before anybody is answered
        (§9.5.1): reason and section if it is not."""
        packet, (correspondent, home) = self.packet, self.ends
        if correspondent not in own:
            return "not_for_us", "9.5.1"
        if not is_unicast_routable(packet.source):
            return "source_address", "9.5.4"
        if not is_unicast_routable(self.home_address) or home in own:
            return "home_address", "9.5.1"
        care_of_address = self.care_of_address
        if care_of_address is not packet.source and not is_unicast_routable(
            care_of_address
        ):
            return "care_of_address", "6.1.7"
        if self.update.home_registration:
            return None if self.indices is None else ("nonce_indices", "9.5.1")
        if self.indices is None:
            return "nonce_indices_missing", "9.5.1"
        if not isinstance(self.update.options[-1], BindingAuthorizationData):
            return "binding_authorization_data_missing", "9.5.1"
        return None

    def make_key(self, nonces: Nonces, now: float) -> BindingStatus:
        """From the nonces of these indices, as far as they count; in a deletion the
        care-of nonce plays no part (§9.5.1)."""
        indices = self.indices
        assert indices is not None
        home = nonces.find(indices.home_nonce_index, now)
        home_address = self.home_address
        if self.update.lifetime == 0:
            if home is None:
                return BindingStatus.EXPIRED_HOME_NONCE_INDEX
            self.key = binding_management_key(home.home_keygen_token(home_address))
            return BindingStatus.ACCEPTED
        care_of = nonces.find(indices.care_of_nonce_index, now)
        if home is None:
            if care_of is None:
                return BindingStatus.EXPIRED_NONCES
            return BindingStatus.EXPIRED_HOME_NONCE_INDEX
        if care_of is None or nonces.is_spent(self.ends, home, care_of):
            return BindingStatus.EXPIRED_CARE_OF_NONCE_INDEX
        self.key = binding_management_key(
            home.home_keygen_token(home_address),
            care_of.care_of_keygen_token(self.care_of_address),
        )
        return BindingStatus.ACCEPTED

    def is_authentic(self) -> bool:
        packet = self.packet
        return is_signed(
            self.update,
            packet.payload,
            self.key,
            self.signed_for,
            packet.destination,
        )

    def answer(
        self, status: BindingStatus, sequence_number: int, lifetime: int
    ) -> Packet:
        """A Binding Acknowledgement to where the update came from, whatever is in the
        cache; signed if there is a key (§9.5.4)."""
        packet = self.packet
        say = partial(
            BindingAcknowledgement,
            status=status,
            sequence_number=sequence_number,
            lifetime=lifetime,
        )
        options: tuple[BindingAuthorizationData, ...] = ()
        if self.key:
            blank = say(options=(BLANK,))
            options = (prove(blank, self.key, self.signed_for, packet.destination),)
        return Packet(
            source=packet.destination,
            destination=packet.source,
            routing_address=packet.home_address,
            message=say(options=options),
        )
