"""Shared keys: written, read, told apart, and never shown."""

import copy
import dataclasses
import hmac
import json
import pickle
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mip6.security.association import from_key
from mip6.security.keys import (
    SPI_COUNT,
    SPI_FIRST,
    Derivation,
    Direction,
    KeyTextError,
    Purpose,
    Secret,
    fingerprint,
    key_text,
    parse_key,
    parse_keys,
    parse_octets,
    shared_keys,
)

OCTETS = bytes(range(32))
LINE = "mip6-key-1:aaaqeaye-audaocaj-bifqydio-b4ibceqt-cqkrmfyy-denbwha5-dyp6qssg"
HOME_ADDRESS = IPv6Address("2001:db8:a::100")
HOME_AGENT = IPv6Address("2001:db8:a::1")
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def test_a_key_is_one_line() -> None:
    assert key_text(OCTETS) == LINE


@given(st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read(octets: bytes) -> None:
    assert parse_key(key_text(octets)).reveal() == octets


@pytest.mark.parametrize(
    "line", [LINE.upper(), f"  {LINE}\n", LINE.replace("-", " ").replace(" ", "-", 2)]
)
def test_case_and_spacing_do_not_matter(line: str) -> None:
    assert parse_key(line) == Secret(OCTETS)


def test_every_single_slip_of_the_finger_is_found() -> None:
    start = LINE.index(":") + 1
    for at in range(start, len(LINE)):
        if LINE[at] == "-":
            continue
        for letter in LETTERS:
            if letter != LINE[at]:
                with pytest.raises(KeyTextError, match="mistyped"):
                    parse_key(LINE[:at] + letter + LINE[at + 1 :])


def test_two_letters_swapped_are_found() -> None:
    start = LINE.index(":") + 1
    for at in range(start, len(LINE) - 1):
        pair = LINE[at : at + 2]
        if "-" not in pair and pair[0] != pair[1]:
            with pytest.raises(KeyTextError, match="mistyped"):
                parse_key(LINE[:at] + pair[::-1] + LINE[at + 2 :])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no key"),
        ("# nothing but a comment\n", "there is no key"),
        (LINE[:-1], "line 1: the key has 55 letters and digits instead of 56"),
        (LINE + "q", "has 57 letters"),
        (LINE.replace("aaaq", "1890"), "has a character besides a-z and 2-7"),
        (LINE.replace("aaaq", "äöüß"), "has 57 letters"),  # ß is SS in capitals
        (LINE.replace("aaaq", "äöü€"), "has a character besides a-z and 2-7"),
        (LINE.replace("key-1", "key-2"), "does not begin with 'mip6-key-1'"),
        (OCTETS.hex(), "does not begin with 'mip6-key-1'"),
        (f"{LINE}\n\n{LINE}\n", "line 3: the same key again"),
        ("\n".join(key_text(bytes([n] * 32)) for n in range(3)), "more than 2 keys"),
    ],
)
def test_a_wrong_key_file_says_why_and_shows_nothing(text: str, says: str) -> None:
    with pytest.raises(KeyTextError, match=says) as caught:
        parse_keys(text)
    shown = f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    for length in range(5, 9):
        key = text.partition(":")[2]
        for at in range(len(key) - length + 1):
            assert key[at : at + length] not in shown


def test_two_keys_are_valid_while_one_replaces_the_other() -> None:
    new, old = bytes(32), OCTETS
    text = f"# since May\n{key_text(new)}\n\n  # until June\n{key_text(old)}\n"
    assert parse_keys(text) == (Secret(new), Secret(old))


@pytest.mark.parametrize("text", ["0x0102", "0102", " 0X0102\n", "01 02"])
def test_octets_of_a_manual_association(text: str) -> None:
    assert parse_octets(text) == Secret(b"\x01\x02")


@pytest.mark.parametrize("text", ["", "0x", "abc", "geheim!!", "0x12zz34"])
def test_wrong_octets_of_a_manual_association(text: str) -> None:
    with pytest.raises(KeyTextError) as caught:
        parse_octets(text)
    for part in ("abc", "geheim", "12", "34"):
        assert part not in str(caught.value)


@pytest.mark.rfc("5.1", "shared secrets are unique for different mobile nodes")
def test_a_key_of_two_mobile_nodes_is_found() -> None:
    first, second, third = (Secret(bytes([n] * 32)) for n in range(3))
    assert shared_keys({"laptop": [first, second], "phone": [third]}) == []
    pairs = shared_keys({"laptop": [first, second], "phone": [third, second]})
    assert pairs == [("laptop", "phone")]


def test_a_secret_does_not_show() -> None:
    secret = Secret(b"unguessable")
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}"):
        assert "unguess" not in shown
    for association in from_key(Secret(OCTETS), HOME_ADDRESS, HOME_AGENT):
        for key in (
            association.transform.integrity_key,
            association.transform.encryption_key,
        ):
            shown = f"{association!r} {association.name}"
            assert key.reveal().hex() not in shown
            assert repr(key.reveal())[2:-1] not in shown
        with pytest.raises(TypeError):
            dataclasses.asdict(association)
        with pytest.raises(TypeError):
            json.dumps(association.transform.integrity_key)
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor stored"):
            leak(secret)


def test_secrets_compare() -> None:
    assert Secret(b"a") == Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"
    assert bool(Secret(b"a")) and not Secret(b"")
    assert len({Secret(b"a"), Secret(b"a")}) == 1


# RFC 5869 has no vectors for our labels; these hold the derivation still, because a
# change of it cuts every mobile node off.
@pytest.mark.parametrize(
    ("purpose", "direction", "integrity", "spi"),
    [
        (
            Purpose.BINDING,
            Direction.TO_HOME_AGENT,
            "293c092ada3077613fa1acbc56f8debf",
            0x68983ADD,
        ),
        (
            Purpose.BINDING,
            Direction.TO_MOBILE_NODE,
            "e560f7ac26c8d7035c1d94bfd3bf370e",
            0x636166E2,
        ),
        (
            Purpose.RETURN_ROUTABILITY,
            Direction.TO_HOME_AGENT,
            "a95da2dec58fa611678586b2a4c56afd",
            0x6245FC74,
        ),
        (
            Purpose.PREFIX_DISCOVERY,
            Direction.TO_MOBILE_NODE,
            "fbe27006b596340b1b80074abf9b03a2",
            0x62AB4514,
        ),
    ],
)
def test_the_derivation_stays(
    purpose: Purpose, direction: Direction, integrity: str, spi: int
) -> None:
    derivation = Derivation(Secret(OCTETS), HOME_ADDRESS, HOME_AGENT)
    assert derivation.octets(purpose, direction, "integrity", 16).hex() == integrity
    assert derivation.spi(purpose, direction) == spi


def test_the_derivation_is_rfc_5869() -> None:
    """HKDF written out with HMAC, one block."""
    info = (
        b"binding\0to_home_agent\0integrity\0" + HOME_ADDRESS.packed + HOME_AGENT.packed
    )
    extracted = hmac.digest(b"mip6-key-1", OCTETS, "sha256")
    expanded = hmac.digest(extracted, info + b"\x01", "sha256")
    derivation = Derivation(Secret(OCTETS), HOME_ADDRESS, HOME_AGENT)
    use = (Purpose.BINDING, Direction.TO_HOME_AGENT)
    assert expanded == derivation.octets(*use, "integrity", 32)
    marked = hmac.digest(extracted, b"fingerprint\x01", "sha256")
    assert fingerprint(Secret(OCTETS)) == marked[:4].hex()


def test_every_use_has_keys_of_its_own() -> None:
    seen = set()
    others = (HOME_ADDRESS, HOME_AGENT, IPv6Address("2001:db8:a::101"))
    for key in (Secret(OCTETS), Secret(bytes(32))):
        for purpose in Purpose:
            for direction in Direction:
                for home_address in others:
                    for home_agent in others:
                        for part in ("integrity", "encryption", "spi"):
                            derivation = Derivation(key, home_address, home_agent)
                            use = (purpose, direction, part)
                            seen.add(derivation.octets(*use, 32))
    assert len(seen) == 2 * 3 * 2 * 3 * 3 * 3


@given(st.binary(min_size=32, max_size=32))
def test_derived_spis_lie_apart_from_those_of_the_kernel(octets: bytes) -> None:
    for association in from_key(Secret(octets), HOME_ADDRESS, HOME_AGENT):
        assert SPI_FIRST <= association.spi < SPI_FIRST + SPI_COUNT
        assert association.spi >> 28 == 6


def test_people_compare_fingerprints() -> None:
    digits = fingerprint(Secret(OCTETS))
    assert len(digits) == 8 and digits != fingerprint(Secret(bytes(32)))
