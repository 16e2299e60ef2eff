"""Which addresses of a machine mobile nodes may know it by."""

from ipaddress import IPv6Address

from mip6.daemon.own_addresses import OWN_MAX, OwnAddresses
from mip6.linux.netlink import AddressInfo, Notice
from mip6.linux.netlink_requests import DAD_FAILED, OPTIMISTIC, TENTATIVE

GLOBAL, OTHER = IPv6Address("2001:db8:e::2"), IPv6Address("2001:db8:e::3")


def info(address: IPv6Address, *, flags: int = 0, index: int = 2) -> AddressInfo:
    return AddressInfo(index=index, address=address, prefix_length=64, flags=flags)


def test_global_unicast_addresses_that_are_checked() -> None:
    infos = [
        info(GLOBAL),
        info(OTHER, flags=TENTATIVE),
        info(IPv6Address("2001:db8:e::4"), flags=TENTATIVE | OPTIMISTIC),
        info(IPv6Address("2001:db8:e::5"), flags=DAD_FAILED),
        *(info(IPv6Address(text)) for text in ("fe80::1", "::1", "ff02::1")),
    ]
    assert OwnAddresses(infos).current == (GLOBAL,)


def test_they_come_and_go() -> None:
    own = OwnAddresses([info(GLOBAL)])
    own.noticed(Notice(info(OTHER, flags=TENTATIVE), gone=False))
    assert own.current == (GLOBAL,)
    own.noticed(Notice(info(OTHER), gone=False))
    assert own.current == (GLOBAL, OTHER)
    # Its link was down for a moment, and the kernel checks it again: it stays.
    own.noticed(Notice(info(OTHER, flags=TENTATIVE), gone=False))
    own.look([info(GLOBAL), info(OTHER, flags=TENTATIVE)])
    assert own.current == (GLOBAL, OTHER)
    own.noticed(Notice(info(OTHER, flags=DAD_FAILED), gone=False))
    assert own.current == (GLOBAL,)
    own.noticed(Notice(info(GLOBAL), gone=True))
    assert own.current == ()


def test_an_address_on_two_links_goes_with_the_last() -> None:
    own = OwnAddresses([info(GLOBAL, index=2), info(GLOBAL, index=3)])
    own.noticed(Notice(info(GLOBAL, index=2), gone=True))
    assert own.current == (GLOBAL,)
    own.look([])
    assert own.current == ()


def test_no_more_than_the_data_plane_has_room_for() -> None:
    many = [info(GLOBAL + n) for n in range(OWN_MAX + 1)]
    assert OwnAddresses(many).current == tuple(GLOBAL + n for n in range(OWN_MAX))
