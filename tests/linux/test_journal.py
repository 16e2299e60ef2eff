from ipaddress import IPv6Address
from pathlib import Path

import pytest

from mip6.linux.journal import Journal

ADDRESS = IPv6Address("2001:db8::1")

SETTING = "net/ipv6/conf/eth0.7/accept_ra"


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "mip6.restore.json"
    journal = Journal(path, "mip0", originals={SETTING: "1"}, links={"eth0"})
    journal.raised.add("eth0")
    journal.address_added(ADDRESS, 64, "eth0")
    journal.rule_added(999)
    assert Journal.load(path) == journal
    journal.address_removed(ADDRESS, 64, "eth0")
    loaded = Journal.load(path)
    assert loaded is not None and loaded.addresses == set()
    journal.forget()
    assert Journal.load(path) is None and list(tmp_path.iterdir()) == []


def test_an_address_is_a_line_behind_the_document(tmp_path: Path) -> None:
    path = tmp_path / "mip6.restore.json"
    journal = Journal(path, "mip0", addresses={(ADDRESS, 64, "eth0")})
    journal.save()
    document = path.read_text()
    journal.address_removed(ADDRESS, 64, "eth0")
    journal.address_added(ADDRESS + 1, 64, "eth1")
    assert path.read_text().startswith(document)
    loaded = Journal.load(path)
    assert loaded is not None and loaded.addresses == {(ADDRESS + 1, 64, "eth1")}


def test_a_line_that_was_not_finished_was_not_done(tmp_path: Path) -> None:
    path = tmp_path / "mip6.restore.json"
    journal = Journal(path, "mip0")
    journal.save()
    journal.address_added(ADDRESS, 64, "eth0")
    path.write_text(path.read_text() + '["+", "2001:db8::2", 64, "eth0"]')
    loaded = Journal.load(path)
    assert loaded is not None and loaded.addresses == {(ADDRESS, 64, "eth0")}


def test_a_document_of_an_earlier_version_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "mip6.restore.json"
    journal = Journal(path, "mip0", links={"eth0"})
    journal.save()
    path.write_text(path.read_text().rstrip("\n"))
    assert Journal.load(path) == journal


def test_lines_do_not_grow_without_end(tmp_path: Path) -> None:
    path = tmp_path / "mip6.restore.json"
    journal = Journal(path, "mip0")
    journal.save()
    most = 0
    for _ in range(1000):
        journal.address_added(ADDRESS, 64, "eth0")
        journal.address_removed(ADDRESS, 64, "eth0")
        most = max(most, path.read_text().count("\n"))
    assert most <= 202


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "device": "mip0"}', "\0"]
)
def test_a_file_that_tells_nothing_counts_as_absent(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mip6.restore.json"
    path.write_text(text)
    assert Journal.load(path) is None


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "net/ipv6/conf/../../../kernel/core_pattern",
        "net/ipv6/conf/../accept_ra",
        "kernel/core_pattern",
        "/etc/passwd",
        SETTING + "/../x",
    ],
)
def test_a_journal_that_names_other_files_counts_as_absent(
    tmp_path: Path, name: str
) -> None:
    """Root reads it, and somebody else wrote it."""
    path = tmp_path / "mip6.restore.json"
    Journal(path, "mip0", originals={SETTING: "1", name: "1"}).save()
    assert Journal.load(path) is None
