"""Target: a correspondent, told arbitrary things in arbitrary order by those who passed
its tests and those who did not.

Beside what holds for every role: tests leave nothing behind and bring 8 octets more, no
binding begins or moves but by an update with the tokens of both its addresses, and no
update does so twice.
"""

from ipaddress import IPv6Address

from fuzz.choices import Choices
from fuzz.packets import (
    CARE_OF_ADDRESS,
    CORRESPONDENT,
    HOME_ADDRESSES,
    HOME_PREFIX,
    LINKS,
    packet,
)
from fuzz.roles import World
from mip6.core.correspondent import Correspondent
from mip6.core.effects import Send
from mip6.core.node import Node
from mip6.core.packet import Packet, write
from mip6.core.return_routability import binding_management_key, sign
from mip6.core.state import RouteOptimization, State, Tunnel
from mip6.wire.messages import (
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
)
from mip6.wire.options import NonceIndices
from mip6.wire.packet import IPv6Packet, RoutingHeaderType2, write_packet

BINDINGS_MAX = 3
OWN = (CORRESPONDENT, CORRESPONDENT + 1)
PLACES = (CARE_OF_ADDRESS, CARE_OF_ADDRESS + 1)
NOT_TESTED = (0, bytes(8))
ACCEPTED_MAX = 64

Token = tuple[int, bytes]
Bindings = dict[tuple[IPv6Address, IPv6Address], tuple[object, ...]]


class CorrespondentWorld(World):
    def begin(self, tunnel: Tunnel | None) -> Node:
        self.drawn = 0
        self.tokens: dict[tuple[type, IPv6Address], Token] = {}
        self.accepted: list[bytes] = []
        return self.start([])

    def start(self, restored: list[RouteOptimization]) -> Node:
        choices = self.choices
        self.role = Correspondent(
            OWN,
            random=self.random,
            lifetime_max=choices.one_of((420.0, 4.0, 60.0)),
            bindings_max=BINDINGS_MAX,
            allowed=(HOME_PREFIX,),
            grace=choices.one_of((2.0, 0.0)),
            restored=restored,
        )
        return Node(correspondent=self.role)

    def random(self, octets: int) -> bytes:
        """Never the same twice, not even by a process that is started again."""
        self.drawn += 1
        return self.drawn.to_bytes(octets)

    def restart(self) -> None:
        if self.choices.number():
            return
        standing: list[State] = list(self.party.ledger.values())
        found = [s for s in standing if isinstance(s, RouteOptimization)]
        self.tokens.clear()
        self.party.restart(self.start(found))

    def wait(self) -> None:
        super().wait()
        for state in self.party.owned:
            expired = isinstance(state, RouteOptimization) and state.expires <= self.now
            assert not expired

    def test(self) -> None:
        """A home or care-of test, asked for as it should be."""
        choices = self.choices
        message: Message
        if choices.flag():
            source = choices.one_of(HOME_ADDRESSES)
            message = HomeTestInit(home_init_cookie=choices.number(8).to_bytes(8))
        else:
            source = choices.one_of(PLACES)
            message = CareOfTestInit(care_of_init_cookie=choices.number(8).to_bytes(8))
        octets = write(Packet(source=source, destination=OWN[0], message=message))
        before = self.bindings()
        for effect in self.party.node.receive(octets, self.now):
            if isinstance(effect, Send):
                assert effect.packet.destination == source
                assert len(write(effect.packet)) == len(octets) + 8
                self._answered(effect.packet.message, source)
        assert self.bindings() == before

    def _answered(self, test: object, address: IPv6Address) -> None:
        match test:
            case HomeTest():
                token = test.home_nonce_index, test.home_keygen_token
                self.tokens[HomeTest, address] = token
            case CareOfTest():
                token = test.care_of_nonce_index, test.care_of_keygen_token
                self.tokens[CareOfTest, address] = token

    def update(self) -> None:
        """A Binding Update, signed with the tokens of its addresses or of others."""
        choices = self.choices
        home_address, place = choices.one_of(HOME_ADDRESSES), choices.one_of(PLACES)
        lifetime = choices.one_of((60, 4, 600, 0))
        tested = home_address, place
        if choices.number() % 8 == 7:
            tested = choices.one_of(HOME_ADDRESSES), choices.one_of(PLACES)
        home = self.tokens.get((HomeTest, tested[0]), NOT_TESTED)
        care_of = self.tokens.get((CareOfTest, tested[1]), NOT_TESTED)
        right = tested == (home_address, place) or (
            lifetime == 0 and tested[0] == home_address
        )
        message = BindingUpdate(
            sequence_number=choices.number(),
            lifetime=lifetime,
            acknowledge=choices.flag(),
            options=(NonceIndices(home[0], care_of[0]),),
        )
        key = binding_management_key(home[1], care_of[1] if lifetime else b"")
        own = choices.one_of(OWN)
        signed = sign(message, key, place if lifetime else home_address, own)
        self.hear(
            write(
                Packet(
                    source=place,
                    destination=own,
                    home_address=home_address,
                    message=signed,
                )
            ),
            (own, home_address) if right else None,
        )

    def replay(self) -> None:
        if self.accepted:
            self.hear(self.choices.one_of(self.accepted), None)

    def anything(self) -> None:
        self.hear(packet(self.choices, quoted=self.quoted), None)

    def hear(
        self, octets: bytes, may_change: tuple[IPv6Address, IPv6Address] | None
    ) -> None:
        before = self.bindings()
        self.receive(octets, self.choices.one_of((None, *LINKS)), None)
        now = self.bindings()
        assert len(now) <= BINDINGS_MAX
        changed = {ends for ends in now if now[ends] != before.get(ends)}
        assert changed <= {may_change}, "changed by somebody else"
        if changed and len(self.accepted) < ACCEPTED_MAX:
            assert octets not in self.accepted
            self.accepted.append(octets)

    def bindings(self) -> Bindings:
        """What only an update may change."""
        return {
            (binding.correspondent, binding.home_address): (
                binding.care_of_address,
                binding.expires,
                binding.sequence_number,
            )
            for binding in self.role.bindings
        }

    def traffic(self) -> None:
        """The kernel sends, and the data plane tells."""
        own, home_address = (
            self.choices.one_of(OWN),
            self.choices.one_of(HOME_ADDRESSES),
        )
        binding = self.role.binding(own, home_address)
        if binding is not None:
            self.quoted = write_packet(
                IPv6Packet(
                    source=own,
                    destination=binding.care_of_address,
                    extensions=(RoutingHeaderType2(home_address),),
                    next_header=17,
                    payload=bytes(16),
                )
            )
        self.perform(self.party.node.talks_to(own, home_address, self.now))

    def addresses(self) -> None:
        """One of ours vanishes, or is there again."""
        kept = OWN[: self.choices.number() % 3]
        self.perform(self.party.node.addresses_changed(kept, self.now))


def correspondent(octets: bytes) -> None:
    """A correspondent."""
    world = CorrespondentWorld(Choices(octets))
    world.run(
        (
            CorrespondentWorld.wait,
            World.refuse,
            CorrespondentWorld.restart,
            CorrespondentWorld.test,
            CorrespondentWorld.test,
            CorrespondentWorld.update,
            CorrespondentWorld.update,
            CorrespondentWorld.replay,
            CorrespondentWorld.traffic,
            CorrespondentWorld.addresses,
            CorrespondentWorld.anything,
            CorrespondentWorld.anything,
        )
    )
