"""Decisions read off octets; and that the targets do fail when something is wrong."""

from dataclasses import replace

import pytest
from fuzz import data_plane, decoders, roles
from fuzz.choices import Choices
from fuzz.packets import repaired
from fuzz.targets import corpus

from mip6.core.home_registrations import HomeRegistrations
from mip6.core.packet import read
from mip6.wire.buffer import WireError


def test_choices_run_out() -> None:
    choices = Choices(b"\x01\x02\x03")
    assert choices.one_of("ab") == "b"
    assert choices.left
    assert choices.number(2) == 0x0203
    assert not choices.left
    assert (choices.number(4), choices.flag(), choices.octets(9)) == (0, False, b"")
    assert choices.one_of("ab") == "a"
    assert choices.changed(b"as it was") == b"as it was"


def test_a_repaired_packet_is_read() -> None:
    """Whatever its checksum and length were."""
    whole = roles.write(_update())
    broken = whole[:4] + b"\xff\xff" + whole[6:-1] + b"\x07"
    with pytest.raises(WireError):
        read(broken)
    assert read(repaired(broken)).home_address is not None


def _update() -> roles.Packet:
    return roles.Packet(
        source=roles.CARE_OF_ADDRESS,
        destination=roles.HOME_AGENT,
        home_address=roles.HOME_ADDRESS,
        message=roles.BindingUpdate(sequence_number=1, lifetime=60),
    )


def test_a_decoder_that_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(octets: bytes, *, quoted: bool = False) -> None:
        raise IndexError

    monkeypatch.setattr(decoders, "read_packet", broken)
    with pytest.raises(IndexError):
        decoders.chain(b"anything")


def test_a_home_agent_that_believes_everybody_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(HomeRegistrations, "untrusted", lambda self, packet: None)
    options, nobody = bytes([1, 0, 0, 0, 0, 1]), bytes(2)
    update = bytes([4, 0, 0, 0, 1, 2])
    with pytest.raises(AssertionError, match="changed by somebody else"):
        roles.home_agent(options + update + nobody)


@pytest.mark.root
def test_a_program_that_does_otherwise_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data_plane.data_plane(b"")
    bench = data_plane.bench()
    wrong = replace(bench.model, mtu=40, addresses=frozenset())
    monkeypatch.setattr(bench, "model", wrong)
    with pytest.raises(AssertionError, match="not"):
        for octets in corpus("data_plane"):
            data_plane.data_plane(octets)
