"""Pages of a binding cache, whatever is asked for."""

import asyncio
from ipaddress import IPv6Address
from types import SimpleNamespace
from typing import Any

import pytest

from mip6.core.binding_cache import Binding
from mip6.core.correspondent_cache import CorrespondentBinding
from mip6.core.state import End
from mip6.daemon import listing
from mip6.linux.layout import Traffic

FIRST = IPv6Address("2001:db8:a::100")
COUNT = 25


def binding(number: int) -> Binding:
    return Binding(
        home_address=FIRST + number * 7 % COUNT,
        care_of_address=IPv6Address("2001:db8:b::") + number * 11 % COUNT,
        home_registration=True,
        sequence_number=number,
        lifetime=600,
        expires=1000.0 + number * 3 % COUNT,
    )


BINDINGS = [binding(number) for number in range(COUNT)]


def traffic(end: End, home_address: IPv6Address) -> Traffic | None:
    assert end is End.HOME_AGENT
    return Traffic(1, 2, 3, 4) if home_address == FIRST else None


def page(bindings: list[Any] = BINDINGS, **query: object) -> dict[str, Any]:
    daemon: Any = SimpleNamespace(
        home_agent=SimpleNamespace(bindings=iter(bindings)),
        correspondent=None,
        now=lambda: 500.0,
        machine=SimpleNamespace(data_plane=SimpleNamespace(traffic=traffic)),
    )
    text = {name: str(value) for name, value in query.items()}
    return asyncio.run(listing.page(daemon, text))


def pages(key: str, **query: object) -> list[str]:
    """That value of all bindings, page by page."""
    found: list[str] = []
    after: dict[str, object] = {}
    while True:
        document = page(**query, **after)
        assert document["total"] == COUNT
        found += (entry[key] for entry in document["bindings"])
        if document["next"] is None:
            return found
        after = {"after": document["next"]}


@pytest.mark.parametrize("limit", [1, 7, COUNT, 10_000])
@pytest.mark.parametrize("looked_at", [4, 5000])
def test_pages_hold_each_once_and_in_order(
    limit: int, looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_AT", looked_at)
    expected = [str(FIRST + number) for number in range(COUNT)]
    assert pages("home_address", limit=limit) == expected


@pytest.mark.parametrize("sort", ["home_address", "care_of_address", "expires"])
def test_sorted(sort: str) -> None:
    key = "expires_in_s" if sort == "expires" else sort
    found = pages(key, sort=sort, limit=4)
    plain = [float(x) if sort == "expires" else int(IPv6Address(x)) for x in found]
    assert plain == sorted(plain) and len(set(plain)) == COUNT


def test_of_a_prefix() -> None:
    document = page(prefix=f"{FIRST}/125")
    assert document["total"] == 8
    assert [entry["home_address"] for entry in document["bindings"]] == [
        str(FIRST + number) for number in range(8)
    ]


def test_after_a_home_address() -> None:
    document = page(after=FIRST + 22)
    found = [entry["home_address"] for entry in document["bindings"]]
    assert found == [str(FIRST + 23), str(FIRST + 24)]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 10_001}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"prefix": "home"}, "prefix"),
        ({"sort": "age"}, "sort is one of: home_address, care_of_address, expires"),
        ({"after": "1/2"}, "after"),
        ({"after": "a:b"}, "after"),
    ],
)
def test_questions_that_make_no_sense(query: dict[str, object], error: str) -> None:
    with pytest.raises(listing.ListingError, match=error):
        page(**query)


def test_correspondents_of_one_mobile_node_are_told_apart() -> None:
    ours = [IPv6Address("2001:db8:e::1") + number for number in range(3)]
    bindings = [
        CorrespondentBinding(
            correspondent=address,
            home_address=FIRST,
            care_of_address=IPv6Address("2001:db8:b::1"),
            sequence_number=1,
            lifetime=420,
            expires=900.0,
        )
        for address in ours
    ]
    first = page(bindings, limit=2)
    assert first["next"] is not None
    second = page(bindings, limit=2, after=first["next"])
    found = first["bindings"] + second["bindings"]
    assert [entry["correspondent"] for entry in found] == [str(a) for a in ours]


def test_counters_where_they_are_asked_for() -> None:
    counted = {"packets_in": 1, "octets_in": 2, "packets_out": 3, "octets_out": 4}
    first, second, *_ = page(counters="")["bindings"]
    assert first["traffic"] == counted
    assert second["traffic"] is None, "the kernel has no tunnel for it"
    assert page()["bindings"][0]["traffic"] is None
    correspondents = [
        CorrespondentBinding(
            correspondent=FIRST,
            home_address=FIRST,
            care_of_address=FIRST,
            sequence_number=1,
            lifetime=1,
            expires=1000.0,
        )
    ]
    assert page(correspondents, counters="")["bindings"][0]["traffic"] is None
