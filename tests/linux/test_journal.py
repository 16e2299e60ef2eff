from ipaddress import IPv6Address
from pathlib import Path

import pytest

from mip6.linux.journal import Journal

ADDRESS = IPv6Address("2001:db8::1")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "mip6.restore.json"
    journal = Journal(path, "mip0", originals={"net/a": "1"}, links={"eth0"})
    journal.raised.add("eth0")
    journal.address_added(ADDRESS, 64, "eth0")
    journal.rule_added(999)
    assert Journal.load(path) == journal
    journal.address_removed(ADDRESS, 64, "eth0")
    loaded = Journal.load(path)
    assert loaded is not None and loaded.addresses == set()
    journal.forget()
    assert Journal.load(path) is None and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "device": "mip0"}', "\0"]
)
def test_a_file_that_tells_nothing_counts_as_absent(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mip6.restore.json"
    path.write_text(text)
    assert Journal.load(path) is None
