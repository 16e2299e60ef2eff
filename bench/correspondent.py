"""How many complete bindings a correspondent makes: a Home Test Init, a Care-of Test
Init and a Binding Update in, two tests and an acknowledgement out, octets both ways.

    python -m bench.correspondent [--json] [--pairs N]

Every binding is a new one, of another mobile node.  Rates are per second of processor
time on one core.  Beside it in the same run: the hashing alone that no correspondent
can do without, and the plain reading of the same three packets.
"""

import argparse
import hashlib
import hmac
import itertools
import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from typing import Any

from mip6.core.correspondent import Correspondent
from mip6.core.effects import Send
from mip6.core.node import Node
from mip6.core.packet import Packet, read, write
from mip6.core.return_routability import binding_management_key, sign
from mip6.wire.messages import (
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    Message,
)
from mip6.wire.options import NonceIndices

from .measure import PAIRS, interleaved, ratio, report, show

CORRESPONDENT = IPv6Address("2001:db8:e::2")
HOME = IPv6Address("2001:db8:a::1:0")
CARE_OF = IPv6Address("2001:db8:b::1:0")
MOBILE_NODES = 2000
UNLIMITED = 1e9


def fresh() -> Node:
    """A correspondent that makes the same nonces each time."""
    return Node(
        correspondent=Correspondent(
            (CORRESPONDENT,),
            random=lambda octets: bytes(range(octets)),
            bindings_max=MOBILE_NODES,
            tests_rate=UNLIMITED,
            tests_burst=UNLIMITED,
        )
    )


def answer(node: Node, octets: bytes) -> bytes:
    """What the node sends when it is given these octets."""
    for effect in node.receive(octets, 0.0):
        if isinstance(effect, Send):
            return write(effect.packet)
    raise AssertionError("no answer")


def packets() -> list[bytes]:
    """All that the mobile nodes send, three packets each, in order."""
    node = fresh()

    def packet(message: Message, source: IPv6Address, **more: Any) -> bytes:
        return write(
            Packet(source=source, destination=CORRESPONDENT, message=message, **more)
        )

    every = []
    for n in range(MOBILE_NODES):
        home_address, care_of_address = HOME + n, CARE_OF + n
        cookie = n.to_bytes(8)
        home_init = packet(HomeTestInit(home_init_cookie=cookie), home_address)
        care_of_init = packet(
            CareOfTestInit(care_of_init_cookie=cookie), care_of_address
        )
        home = read(answer(node, home_init)).message
        care_of = read(answer(node, care_of_init)).message
        assert isinstance(home, HomeTest)
        assert isinstance(care_of, CareOfTest)
        indices = NonceIndices(home.home_nonce_index, care_of.care_of_nonce_index)
        update = BindingUpdate(
            sequence_number=n, lifetime=420, acknowledge=True, options=(indices,)
        )
        key = binding_management_key(
            home.home_keygen_token, care_of.care_of_keygen_token
        )
        signed = sign(update, key, care_of_address, CORRESPONDENT)
        every += [
            home_init,
            care_of_init,
            packet(signed, care_of_address, home_address=home_address),
        ]
    return every


def bindings(every: list[bytes]) -> float:
    node = fresh()
    begin = time.process_time()
    for octets in every:
        answer(node, octets)
    spent = time.process_time() - begin
    assert len(node.installed) == 2 * MOBILE_NODES
    return MOBILE_NODES / spent


def reading(every: list[bytes]) -> float:
    begin = time.process_time()
    for octets in every:
        read(octets)
    return MOBILE_NODES / (time.process_time() - begin)


def hashing() -> float:
    """Four tokens, a key, and the authenticators of an update and its answer."""
    key, token, message = bytes(20), bytes(25), bytes(80)
    begin = time.process_time()
    for _ in itertools.repeat(None, MOBILE_NODES):
        for _ in range(4):
            hmac.digest(key, token, "sha1")
        hashlib.sha1(token).digest()
        hmac.digest(key, message, "sha1")
        hmac.digest(key, message, "sha1")
    return MOBILE_NODES / (time.process_time() - begin)


def measure(pairs: int) -> list[dict[str, Any]]:
    every = packets()
    sides: dict[str, Callable[[], float]] = {
        "complete bindings": partial(bindings, every),
        "reading alone": partial(reading, every),
        "hashing alone": hashing,
    }
    figures = interleaved(sides, pairs)
    ratios = {
        "bindings ÷ reading": ratio(figures, "complete bindings", "reading alone"),
        "bindings ÷ hashing": ratio(figures, "complete bindings", "hashing alone"),
    }
    return [report("correspondent", figures, "per CPU-second", ratios)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    arguments = parser.parse_args()
    show(measure(arguments.pairs), as_json=arguments.json)


if __name__ == "__main__":
    main()
