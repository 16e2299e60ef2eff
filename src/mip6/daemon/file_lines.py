"""Where the tables and keys of a TOML file are, for errors about them."""

import re
from ipaddress import IPv6Address


def lines_of(text: str) -> dict[tuple[str, ...], int]:
    """The line of each table and key.  Good for the plain files we document: a key
    inside an inline table is told at the line of the table."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(rf"\s*\[+\s*({_KEY})\s*\]+", line):
            table = _parts(header[1])
            found.setdefault(table, number)
        elif key := re.match(rf"\s*({_KEY})\s*=", line):
            found.setdefault((*table, *_parts(key[1])), number)
    return found


_WORD = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_KEY = rf"{_WORD}(?:\s*\.\s*{_WORD})*"


def _parts(key: str) -> tuple[str, ...]:
    """The words of a dotted key; an address in the spelling that we use."""
    return tuple(_plain(part.strip("\"'")) for part in re.findall(_WORD, key))


def _plain(word: str) -> str:
    try:
        return str(IPv6Address(word))
    except ValueError:
        return word


def line_of(lines: dict[tuple[str, ...], int], where: tuple[str, ...]) -> int:
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)
