"""Multicast Listener Discovery: questions and answers (RFC 2710, RFC 3810)."""

from ipaddress import IPv6Address

import pytest
from tests.support.mld import group_record, listener, report_1, report_2
from tests.support.octets import HOP_BY_HOP, ICMPV6, UDP, checksum, ipv6, options, udp

from mip6.wire.buffer import WireError
from mip6.wire.multicast_listener import (
    Membership,
    check_query,
    general_query,
    is_from_listener,
    is_query,
    is_report_of_link,
    read_memberships,
    report,
)
from mip6.wire.packet import read_packet

GROUP, OTHER = "ff0e::1:1", "ff0e::1:2"
DIRECTLY = "fe80::3"


def said(octets: bytes) -> list[tuple[str, bool]]:
    packet = read_packet(octets)
    assert is_from_listener(packet)
    return [(str(one.group), one.listens) for one in read_memberships(packet)]


def test_a_general_query() -> None:
    octets = general_query(IPv6Address("fe80::1"))
    message = bytes.fromhex(
        "82 00 0000"  # query
        "2710 0000"  # 10 s
        "00000000000000000000000000000000"
        "02 7d 0000"  # robustness, 125 s, no sources
    )
    value = checksum("fe80::1", "ff02::1", ICMPV6, message)
    message = message[:2] + value.to_bytes(2) + message[4:]
    alert = bytes.fromhex("3a 00 05 02 0000 01 00")
    wanted = ipv6("fe80::1", "ff02::1", HOP_BY_HOP, alert + message, hop_limit=1)
    assert octets == wanted


def test_version_1() -> None:
    assert said(report_1(GROUP)) == [(GROUP, True)]
    assert said(report_1(GROUP, kind=132)) == [(GROUP, False)]


@pytest.mark.parametrize(
    ("kind", "sources", "wanted"),
    [
        (1, 0, [False]),
        (1, 2, [True]),
        (2, 0, [True]),
        (2, 3, [True]),
        (3, 0, [False]),
        (3, 1, [True]),
        (4, 0, [True]),
        (5, 1, [True]),
        (6, 1, []),
        (9, 0, []),
    ],
)
def test_records_of_version_2(kind: int, sources: int, wanted: list[bool]) -> None:
    octets = report_2(group_record(kind, GROUP, sources=sources))
    assert said(octets) == [(GROUP, listens) for listens in wanted]


def test_many_records() -> None:
    records = (
        group_record(4, GROUP, sources=2, auxiliary=3),
        group_record(6, GROUP, sources=1),
        group_record(3, OTHER),
    )
    assert said(report_2(*records)) == [(GROUP, True), (OTHER, False)]
    assert said(report_2()) == []


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (report_1(GROUP, hop_limit=2), "hop_limit"),
        (report_1(GROUP, alert=options(ICMPV6)), "router_alert"),
        (report_1(GROUP, alert=b""), "router_alert"),
        (report_1(GROUP, wrong=1), "checksum"),
        (listener(b"\x83\0\0\0\0\0\0\0" + bytes(15)), "truncated"),
        (report_2(group_record(4, GROUP)[:-1]), "truncated"),
        (report_2(group_record(4, GROUP, sources=1)[:-1]), "truncated"),
        (listener(b"\x8f"), "checksum"),
    ],
)
def test_what_nobody_may_send(octets: bytes, reason: str) -> None:
    packet = read_packet(octets)
    assert is_from_listener(packet)
    with pytest.raises(WireError, match=reason):
        read_memberships(packet)


@pytest.mark.parametrize(
    "octets",
    [
        ipv6("fe80::2", "ff02::16", UDP, udp()),
        ipv6("fe80::2", "2001:db8::1", ICMPV6, b"\x8f\0\0\0"),
        ipv6("fe80::2", "ff02::16", ICMPV6, b"\x82\0\0\0"),
        ipv6("fe80::2", "ff02::16", ICMPV6, b""),
    ],
    ids=["data", "to one", "a question", "nothing"],
)
def test_what_is_not_from_a_listener(octets: bytes) -> None:
    assert not is_from_listener(read_packet(octets))


def test_memberships_are_values() -> None:
    group = IPv6Address(GROUP)
    one, other = (Membership(group=group, listens=True) for _ in range(2))
    assert one == other


def test_what_a_listener_writes() -> None:
    records = [(2, IPv6Address(GROUP)), (3, IPv6Address(OTHER))]
    octets = report(IPv6Address("fe80::2"), records)
    assert octets == report_2(group_record(2, GROUP), group_record(3, OTHER))
    assert said(octets) == [(GROUP, True), (OTHER, False)]


def test_what_the_kernel_says() -> None:
    for kind in (131, 132):
        assert is_report_of_link(report_1(GROUP, kind=kind))
    octets = report_2(group_record(4, GROUP))
    assert is_report_of_link(octets)
    assert is_report_of_link(octets[:49]) and not is_report_of_link(octets[:48])
    for at, value in ((6, ICMPV6), (24, 0x20), (40, UDP), (48, 130), (48, 144)):
        assert not is_report_of_link(octets[:at] + bytes([value]) + octets[at + 1 :])


def checked(octets: bytes) -> str:
    """What is wrong with a question, or ""."""
    packet = read_packet(octets)
    assert is_query(packet)
    try:
        check_query(packet)
    except WireError as error:
        return error.reason
    return ""


def test_questions() -> None:
    version_1 = bytes([130]) + bytes(23)
    assert checked(general_query(IPv6Address("fe80::1"))) == ""
    assert checked(listener(version_1, destination="ff02::1")) == ""
    assert checked(listener(version_1, destination="ff02::1", hop_limit=2)) == (
        "hop_limit"
    )
    assert checked(listener(version_1, alert=b"")) == "router_alert"
    assert checked(listener(version_1, wrong=1)) == "checksum"
    assert checked(listener(version_1[:23])) == "truncated"
    assert checked(listener(version_1, source="::")) == "source_address"
    assert not is_query(read_packet(listener(version_1, destination=DIRECTLY)))
    assert not is_query(read_packet(report_1(GROUP)))
    assert not is_query(read_packet(ipv6("fe80::1", GROUP, UDP, udp())))
