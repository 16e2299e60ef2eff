"""`mip6 decode`: arguments, exit codes, what is shown to people, what is malformed."""

import hmac
import io
import json
import struct
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.octets import (
    ESP,
    FRAGMENT,
    IPV6,
    MOBILITY,
    UDP,
    home_address_option,
    ipv6,
    mobility,
    udp,
)
from tests.support.strategies import mutated, packets
from tests.support.tshark import ESP_KEYS, PCAP

from mip6.cli.decode import document
from mip6.cli.dissection import Keys, Malformed, dissect
from mip6.cli.main import main
from mip6.core.packet import Packet, write
from mip6.core.state import End
from mip6.security.association import from_key
from mip6.security.associations import Associations
from mip6.security.esp import Integrity, Transform
from mip6.security.keys import Secret, key_text, parse_key
from mip6.security.verdict import Protected
from mip6.wire.icmpv6 import HomeAgentAddressDiscoveryReply, UnknownIcmp
from mip6.wire.messages import (
    BindingAcknowledgement,
    BindingError,
    BindingUpdate,
    HomeTestInit,
    Message,
    UnknownMessage,
)
from mip6.wire.options import (
    AlternateCareOfAddress,
    BindingRefreshAdvice,
    UnknownOption,
)
from mip6.wire.packet import write_packet

HOME_AGENT, HOME_ADDRESS = IPv6Address("2001:db8:a::1"), IPv6Address("2001:db8:a::100")
CARE_OF_ADDRESS = IPv6Address("2001:db8:b::64")
CORRESPONDENT = IPv6Address("2001:db8:e::2")
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "src/mip6/schema/decode.json").read_text()
)

UPDATE = Packet(
    source=CARE_OF_ADDRESS,
    destination=HOME_AGENT,
    home_address=HOME_ADDRESS,
    message=BindingUpdate(
        sequence_number=7,
        lifetime=420,
        acknowledge=True,
        home_registration=True,
        options=(AlternateCareOfAddress(CARE_OF_ADDRESS),),
    ),
)
HOME_TEST_INIT = Packet(
    source=HOME_ADDRESS,
    destination=CORRESPONDENT,
    tunnel=(CARE_OF_ADDRESS, HOME_AGENT),
    message=HomeTestInit(home_init_cookie=b"cookie!!"),
)

Run = Callable[..., SimpleNamespace]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> SimpleNamespace:
        code = main(["decode", *words])
        said = capsys.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return run


def lines(said: SimpleNamespace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.out.splitlines()]


def capture(*frames: bytes, snap_length: int = 65535, link_type: int = 101) -> bytes:
    octets = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snap_length, link_type)
    for second, frame in enumerate(frames):
        kept = frame[:snap_length]
        octets += struct.pack("<IIII", second, 500_000, len(kept), len(frame)) + kept
    return octets


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], str]:
    def file(octets: bytes) -> str:
        path = tmp_path / "file.pcap"
        path.write_bytes(octets)
        return str(path)

    return file


def test_one_packet_in_hexadecimal(run: Run) -> None:
    said = run("--json", write(UPDATE).hex())
    assert (said.code, said.err) == (0, "")
    assert lines(said) == [
        {
            "frame": 1,
            "source": "2001:db8:b::64",
            "destination": "2001:db8:a::1",
            "home_address": "2001:db8:a::100",
            "routing_address": None,
            "message": "BindingUpdate",
            "fields": {
                "sequence_number": 7,
                "lifetime": 420,
                "acknowledge": True,
                "home_registration": True,
                "link_local_address_compatibility": False,
                "key_management_mobility_capability": False,
                "mobile_router": False,
                "options": [
                    {
                        "option": "AlternateCareOfAddress",
                        "care_of_address": "2001:db8:b::64",
                    }
                ],
            },
        }
    ]


@pytest.mark.parametrize("written", [" ", "\n", ":"])
def test_hexadecimal_as_others_print_it(run: Run, written: str) -> None:
    plain = run("--json", write(UPDATE).hex())
    assert run("--json", write(UPDATE).hex(written, 2)).out == plain.out
    assert run("--json", "0x" + write(UPDATE).hex().upper()).out == plain.out


def test_a_packet_in_a_tunnel(run: Run) -> None:
    (line,) = lines(run("--json", write(HOME_TEST_INIT).hex()))
    assert line["source"], line["destination"] == ("2001:db8:a::100", "2001:db8:e::2")
    assert line["fields"] == {"home_init_cookie": b"cookie!!".hex(), "options": []}
    assert line["tunnel"] == {
        "source": "2001:db8:b::64",
        "destination": "2001:db8:a::1",
    }


def answer(message: Message, **changes: Any) -> Packet:
    fields: dict[str, Any] = {"source": HOME_AGENT, "destination": CARE_OF_ADDRESS}
    return Packet(message=message, **{**fields, **changes})


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (
            UPDATE,
            "BindingUpdate              2001:db8:b::64 → 2001:db8:a::1, "
            "home_address 2001:db8:a::100, sequence_number 7, lifetime 420 s, "
            "acknowledge, home_registration, "
            "AlternateCareOfAddress(care_of_address 2001:db8:b::64)",
        ),
        (
            HOME_TEST_INIT,
            "HomeTestInit               2001:db8:a::100 → 2001:db8:e::2, "
            "tunnel 2001:db8:b::64 → 2001:db8:a::1, home_init_cookie 636f6f6b69652121",
        ),
        (
            answer(
                BindingAcknowledgement(
                    status=135,
                    sequence_number=9,
                    lifetime=0,
                    options=(BindingRefreshAdvice(8), UnknownOption(200, b"\x01")),
                ),
                routing_address=HOME_ADDRESS,
            ),
            "BindingAcknowledgement     2001:db8:a::1 → 2001:db8:b::64, "
            "routing_address 2001:db8:a::100, "
            "status 135 (sequence_number_out_of_window), sequence_number 9, "
            "lifetime 0 s, BindingRefreshAdvice(refresh_interval 8 s), "
            "UnknownOption(type 200, data 01)",
        ),
        (
            answer(BindingError(status=1, home_address=HOME_ADDRESS)),
            "BindingError               2001:db8:a::1 → 2001:db8:b::64, "
            "status 1 (unknown_binding), home_address 2001:db8:a::100",
        ),
        (
            answer(BindingAcknowledgement(status=99, sequence_number=9, lifetime=0)),
            "BindingAcknowledgement     2001:db8:a::1 → 2001:db8:b::64, "
            "status 99, sequence_number 9, lifetime 0 s",
        ),
        (
            answer(UnknownMessage(19, bytes(42))),
            "UnknownMessage             2001:db8:a::1 → 2001:db8:b::64, "
            f"type 19, data {'00' * 32}…",
        ),
        (
            Packet(
                source=HOME_AGENT,
                destination=CARE_OF_ADDRESS,
                message=HomeAgentAddressDiscoveryReply(
                    identifier=5, home_agent_addresses=(HOME_AGENT, CORRESPONDENT)
                ),
            ),
            "HomeAgentAddressDiscoveryReply  2001:db8:a::1 → 2001:db8:b::64, "
            "identifier 5, home_agent_addresses 2001:db8:a::1, "
            "home_agent_addresses 2001:db8:e::2",
        ),
    ],
    ids=lambda value: type(getattr(value, "message", value)).__name__,
)
def test_a_line_for_people(run: Run, packet: Packet, words: str) -> None:
    said = run(write(packet).hex())
    assert (said.code, said.err) == (0, "")
    assert said.out == f"    1    0.000000  {words}\n"


def test_data_is_shown_when_all_is(run: Run, file: Callable[[bytes], str]) -> None:
    content = ipv6(str(HOME_ADDRESS), str(CORRESPONDENT), UDP, udp(b"data"))
    outer = ipv6(str(CARE_OF_ADDRESS), str(HOME_AGENT), IPV6, content)
    echo = Packet(
        source=HOME_ADDRESS,
        destination=CORRESPONDENT,
        message=UnknownIcmp(type=128, code=0, data=b"ping"),
    )
    path = file(capture(outer, write(echo), write(UPDATE), b"\x45" + bytes(19)))
    assert [line["frame"] for line in lines(run("--json", path))] == [3]
    said = run("--json", "--all", path)
    data, ping, update = lines(said)
    assert (data["message"], data["fields"]) == (
        None,
        {"next_header": 17, "length": 12},
    )
    assert data["tunnel"]["source"] == str(CARE_OF_ADDRESS)
    assert (ping["message"], ping["fields"]["type"]) == ("UnknownIcmp", 128)
    assert update["message"] == "BindingUpdate"
    assert run("--all", path).out.splitlines()[0] == (
        "    1    0.000000  data                       "
        "2001:db8:a::100 → 2001:db8:e::2, tunnel 2001:db8:b::64 → 2001:db8:a::1, "
        "next_header 17, length 12"
    )


def flip(octets: bytes, at: int) -> bytes:
    return octets[:at] + bytes([octets[at] ^ 0xFF]) + octets[at + 1 :]


WHOLE = write(UPDATE)
MALFORMED = [
    (b"\x60", "truncated", 1),
    (WHOLE[:-1], "truncated", len(WHOLE) - 1),
    (flip(WHOLE, 0), "version", 0),
    (flip(WHOLE, -1 % len(WHOLE)), "checksum", 40 + 24 + 4),
    (flip(write(HOME_TEST_INIT), 95), "checksum", 40 + 40 + 4),
    # A Mobility Header of 16 octets whose option is longer than it
    (
        ipv6(
            "2001:db8::1",
            "2001:db8::2",
            MOBILITY,
            bytes.fromhex("3b01 0500 60dc 0001 0000 0001 0314 0000"),
        ),
        "option_length",
        40 + 13,
    ),
    (
        ipv6(
            "2001:db8::1",
            "2001:db8::2",
            FRAGMENT,
            bytes((MOBILITY, 0, 0, 1)) + bytes(4) + mobility(),
        ),
        "fragment",
        40,
    ),
    (ipv6("::1", "::2", ESP, bytes(7)), "truncated", 40),
]


@pytest.mark.parametrize(("octets", "reason", "offset"), MALFORMED)
def test_malformed(run: Run, octets: bytes, reason: str, offset: int) -> None:
    said = run("--json", octets.hex())
    assert said.code == 1
    assert lines(said) == [{"frame": 1, "error": reason, "offset": offset}]
    said = run(octets.hex())
    assert said.code == 1
    assert said.out == (f"    1    0.000000  malformed: {reason} at octet {offset}\n")


def test_malformed_packets_of_a_capture(run: Run, file: Callable[[bytes], str]) -> None:
    wrong = flip(WHOLE, len(WHOLE) - 1)
    path = file(capture(wrong, WHOLE, b"\x60" + bytes(20)))
    said = run("--json", path)
    assert said.code == 0
    wrong_line, right_line, short_line = lines(said)
    assert wrong_line == {"frame": 1, "error": "checksum", "offset": 68}
    assert right_line["message"] == "BindingUpdate"
    assert short_line == {"frame": 3, "error": "truncated", "offset": 21}
    assert run(file(capture(wrong))).code == 1


def test_faults_of_other_packets_are_shown_only_with_all(
    run: Run, file: Callable[[bytes], str]
) -> None:
    echo = answer(UnknownIcmp(type=128, code=0, data=b"ping"))  # type: ignore[arg-type]
    path = file(capture(flip(write(echo), 43)))
    said = run(path)
    assert (said.code, said.out) == (0, "")
    assert said.err == "mip6 decode: no Mobile IPv6 packets\n"
    assert lines(run("--json", "--all", path)) == [
        {"frame": 1, "error": "checksum", "offset": 42}
    ]


def test_what_was_cut_off_is_a_fault_only_of_signalling(
    run: Run, file: Callable[[bytes], str]
) -> None:
    data = ipv6(str(HOME_ADDRESS), str(CORRESPONDENT), UDP, udp(bytes(200)))
    tunnelled = ipv6(str(CARE_OF_ADDRESS), str(HOME_AGENT), IPV6, data)
    fragment = bytes((UDP, 0, 0, 1)) + bytes(4) + udp(bytes(200))
    fragmented = ipv6("::1", "::2", FRAGMENT, fragment)
    esp = ipv6(str(CARE_OF_ADDRESS), str(HOME_AGENT), ESP, bytes(200))
    path = file(
        capture(data, tunnelled, fragmented, esp, WHOLE, data[:20], snap_length=90)
    )
    said = run("--json", path)
    # The Binding Update is 96 octets long.
    assert lines(said) == [
        {"frame": 5, "error": "truncated", "offset": 90},
        {"frame": 6, "error": "truncated", "offset": 20},
    ]
    assert "ESP that no --key opened: 1 packets" in said.err
    assert [line["frame"] for line in lines(run("--json", "--all", path))] == [
        *range(1, 7)
    ]


def test_a_capture_that_ends_early(run: Run, file: Callable[[bytes], str]) -> None:
    whole = capture(WHOLE, WHOLE)
    path = file(whole[:-1])
    said = run("--json", path)
    assert said.code == 0
    assert [line["frame"] for line in lines(said)] == [1]
    assert said.err == f"mip6 decode: {path}: truncated at octet {len(whole) - 1}\n"


def test_nothing_could_be_read(
    run: Run, file: Callable[[bytes], str], tmp_path: Path
) -> None:
    path = file(b"no capture")
    said = run(path)
    assert (said.code, said.out) == (1, "")
    assert said.err == f"mip6 decode: {path}: not_a_capture at octet 0\n"
    missing = str(tmp_path / "missing.pcap")
    said = run(missing)
    assert (said.code, said.out) == (1, "")
    assert said.err == f"mip6 decode: {missing}: No such file or directory\n"
    assert run(str(tmp_path)).code == 1


def test_usage(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    said = run("60000")
    assert (said.code, said.out) == (2, "")
    assert said.err == "mip6 decode: 5 hexadecimal digits: one is missing\n"
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 2


def test_a_file_whose_name_could_be_digits(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cafe").write_bytes(capture(WHOLE))
    assert [line["frame"] for line in lines(run("--json", "cafe"))] == [1]


def test_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    octets = io.BytesIO(capture(WHOLE))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=octets))
    assert [line["frame"] for line in lines(run("--json", "-"))] == [1]


IPSEC = str(PCAP / "ipsec-movement-mn.pcap")


def test_esp_stays_closed_without_a_key(run: Run) -> None:
    said = run("--json", IPSEC)
    assert {line["message"] for line in lines(said)} == {
        "RouterAdvertisement",
        "CareOfTestInit",
        "CareOfTest",
    }
    assert said.err == "mip6 decode: ESP that no --key opened: 7 packets\n"
    closed = [line for line in lines(run("--json", "--all", IPSEC)) if "esp" in line]
    assert {line["esp"]["spi"] for line in closed} == {0x2000, 0x2001, 0x2004}
    assert {line["fields"]["next_header"] for line in closed} == {50}


def test_esp_opened_with_one_of_several_keys(run: Run) -> None:
    other = f"hmac-sha2-256-128:{'11' * 32}"
    said = run("--json", "--key", other, "--key", ESP_KEYS, IPSEC)
    assert said.err == ""
    opened = [line for line in lines(said) if "esp" in line]
    assert [line["message"] for line in opened].count("BindingUpdate") == 3
    assert [line["message"] for line in opened].count("HomeTestInit") == 1
    assert opened[0]["esp"] == {"spi": 0x2000, "sequence_number": 4}


KEY = key_text(bytes(range(32)))


def protected(packet: Packet, end: End) -> bytes:
    associations = Associations(
        end,
        from_key(parse_key(KEY), HOME_ADDRESS, HOME_AGENT),
        random=lambda count: bytes(count),
    )
    verdict = associations.protect(write(packet))
    assert isinstance(verdict, Protected)
    return verdict.octets


def test_esp_opened_with_a_shared_key(run: Run, file: Callable[[bytes], str]) -> None:
    acknowledgement = answer(
        BindingAcknowledgement(status=0, sequence_number=7, lifetime=420),
        routing_address=HOME_ADDRESS,
    )
    frames = (
        protected(HOME_TEST_INIT, End.MOBILE_NODE),
        protected(acknowledgement, End.HOME_AGENT),
        protected(HOME_TEST_INIT, End.MOBILE_NODE),
        protected(UPDATE, End.MOBILE_NODE),
    )
    said = run("--json", "--key", KEY, file(capture(*frames)))
    # Whose Home Test Init it is, the first acknowledgement tells.
    assert [(line["frame"], line["message"]) for line in lines(said)] == [
        (2, "BindingAcknowledgement"),
        (3, "HomeTestInit"),
        (4, "BindingUpdate"),
    ]
    assert "no --key opened: 1 packets" in said.err
    assert lines(said)[1]["tunnel"]["source"] == "2001:db8:b::64"
    other = key_text(bytes(range(1, 33)))
    assert run("--json", "--key", other, file(capture(*frames))).out == ""


@pytest.mark.parametrize(
    "word",
    [
        "5ec4e7",
        "hmac-sha1-96:5ec4e7",
        "hmac-sha1-96:5ec4e7zz",
        "hmac-md5:5ec4e7",
        f"hmac-sha1-96:{'5ec4e7' * 7}",
        f"hmac-sha1-96:{'00' * 20},aes-gcm:5ec4e7",
        f"hmac-sha1-96:{'00' * 20},aes-cbc:5ec4e7",
        f"hmac-sha1-96:{'00' * 20},aes-cbc",
        "mip6-key-1:5ec4e7",
        KEY[:-1] + ("a" if KEY[-1] != "a" else "b"),
    ],
)
def test_a_key_that_is_none_is_not_shown(run: Run, word: str) -> None:
    said = run("--key", word, WHOLE.hex())
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("mip6 decode: --key ")
    assert "5ec4e7" not in said.err


VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
KEYS = Keys([ESP_KEYS, KEY])


@settings(max_examples=200)
@given(st.data())
def test_any_octets_are_a_line(data: st.DataObject) -> None:
    """Never anything else, and if malformed the fault lies within the packet."""
    whole = st.one_of(
        packets().map(write_packet),
        st.sampled_from([WHOLE, write(HOME_TEST_INIT)]),
        st.sampled_from([protected(UPDATE, End.MOBILE_NODE)]),
    )
    octets = data.draw(
        st.one_of(whole, whole.flatmap(mutated), st.binary(max_size=100))
    )
    found = dissect(octets, KEYS, cut=data.draw(st.booleans()))
    if isinstance(found, Malformed):
        assert 0 <= found.offset <= len(octets)
    VALIDATOR.validate(json.loads(json.dumps(document(1, found))))


@given(octets=mutated(capture(WHOLE, write(HOME_TEST_INIT))))
def test_any_file(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pcap"
    path.write_bytes(octets)
    assert main(["decode", "--json", "--all", str(path)]) in (0, 1)


def test_tunnels_in_tunnels_have_an_end(run: Run) -> None:
    octets = WHOLE
    for _ in range(7):
        octets = ipv6("::1", "::2", IPV6, octets)
    assert lines(run("--json", octets.hex()))[0]["message"] == "BindingUpdate"
    octets = ipv6("::1", "::2", IPV6, octets)
    assert lines(run("--json", octets.hex())) == [
        {"frame": 1, "error": "too_many_layers", "offset": 8 * 40}
    ]


def test_a_home_address_option_on_data(run: Run) -> None:
    content = home_address_option(UDP, str(HOME_ADDRESS)) + udp(b"data")
    packet = ipv6(str(CARE_OF_ADDRESS), str(CORRESPONDENT), 60, content)
    (line,) = lines(run("--json", packet.hex()))
    assert line["home_address"] == str(HOME_ADDRESS)
    assert line["fields"] == {"next_header": 17, "length": 12}


TRANSFORM = Transform(
    integrity=Integrity.HMAC_SHA1_96, integrity_key=Secret(bytes(range(1, 21)))
)
NULL_KEY = f"hmac-sha1-96:{bytes(range(1, 21)).hex()}"


def in_esp(next_header: int, payload: bytes, *, octets_cut: int = 0) -> str:
    """A packet with ESP that is authentic, whatever is in it."""
    transform = TRANSFORM
    sealed = transform.seal(0x2000, 9, next_header, payload, b"")
    if octets_cut:
        body = sealed[: -12 - octets_cut]
        sealed = body + hmac.digest(bytes(range(1, 21)), body, "sha1")[:12]
    return ipv6(str(CARE_OF_ADDRESS), str(HOME_AGENT), ESP, sealed).hex()


def test_esp_for_people(run: Run) -> None:
    said = run("--key", NULL_KEY, in_esp(UDP, udp(b"data")))
    assert said.out == (
        "    1    0.000000  data                       2001:db8:b::64 → 2001:db8:a::1, "
        "esp 0x2000, next_header 17, length 12\n"
    )


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        # Behind a Mobility Header there must be nothing.
        (in_esp(MOBILITY, mobility() + b"behind"), "esp_contents"),
        (in_esp(UDP, udp(b"data"), octets_cut=1), "esp_length"),
        (in_esp(UDP, udp(b"data"), octets_cut=4), "esp_padding"),
    ],
)
def test_esp_that_is_authentic_and_makes_no_sense(
    run: Run, packet: str, reason: str
) -> None:
    said = run("--json", "--key", NULL_KEY, packet)
    assert said.code == 1
    assert lines(said) == [{"frame": 1, "error": reason, "offset": 40}]
