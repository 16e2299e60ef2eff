"""The ELF object that the compiler makes of bpf/mip6.bpf.c, read without libbpf.

Only what our own object contains: 64 bit, little endian, one program per section
`program/NAME`, map definitions in a section `maps`, references to maps as R_BPF_64_64.
"""

import struct
from importlib import resources

from mip6.wire.record import record

_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_MAP = struct.Struct("<IIIII")
_RELOCATION = struct.Struct("<QQ")

_BITS, _SYMBOLS, _RELOCATIONS = 1, 2, 9  # section types
_R_BPF_64_64 = 1
_MACHINE_BPF = 247


@record
class MapDefinition:
    """`struct map_definition` of bpf/kernel.h."""

    kind: int
    key_size: int
    value_size: int
    entries_max: int
    flags: int


@record
class Program:
    """One program: its instructions, and at which octets it names which map."""

    instructions: bytes
    references: tuple[tuple[int, str], ...]


@record
class Object:
    maps: dict[str, MapDefinition]
    programs: dict[str, Program]
    """By name: what follows `program/` in the name of its section."""


@record
class _Section:
    name: str
    kind: int
    flags: int
    body: bytes
    link: int
    info: int


def shipped() -> Object:
    """The programs as the package carries them."""
    return read(resources.files(__package__).joinpath("mip6.bpf.o").read_bytes())


def read(octets: bytes) -> Object:
    """Raises `ValueError` for anything that our compiler does not produce."""
    if octets[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a 64-bit little-endian ELF object")
    if struct.unpack_from("<H", octets, 18) != (_MACHINE_BPF,):
        raise ValueError("not an eBPF object")
    sections = _sections(octets)
    by_name = {section.name: section for section in sections}
    symbols = next(s for s in sections if s.kind == _SYMBOLS)
    names = sections[symbols.link].body
    table = [
        (_string(names, name), section, value)
        for name, _, _, section, value, _ in _SYMBOL.iter_unpack(symbols.body)
    ]
    maps = {
        name: MapDefinition(*_MAP.unpack_from(by_name["maps"].body, value))
        for name, section, value in table
        if name
        and section < len(sections)
        and sections[section].name == "maps"
        and name != "maps"
    }
    references: dict[int, list[tuple[int, str]]] = {}
    for section in sections:
        if section.kind != _RELOCATIONS or not _is_program(sections[section.info]):
            continue
        for offset, info in _RELOCATION.iter_unpack(section.body):
            name = table[info >> 32][0]
            if info & 0xFFFFFFFF != _R_BPF_64_64 or name not in maps:
                raise ValueError(f"reference to {name or 'a section'}: not a map")
            references.setdefault(section.info, []).append((offset, name))
    programs = {
        section.name.removeprefix("program/"): Program(
            section.body, tuple(references.get(index, ()))
        )
        for index, section in enumerate(sections)
        if _is_program(section)
    }
    return Object(maps, programs)


def _is_program(section: _Section) -> bool:
    return section.kind == _BITS and section.name.startswith("program/")


def _sections(octets: bytes) -> list[_Section]:
    (start,) = struct.unpack_from("<Q", octets, 40)
    size, count, names = struct.unpack_from("<HHH", octets, 58)
    headers = [_SECTION.unpack_from(octets, start + i * size) for i in range(count)]
    strings = octets[headers[names][4] :]
    return [
        _Section(
            _string(strings, h[0]), h[1], h[2], octets[h[4] : h[4] + h[5]], h[6], h[7]
        )
        for h in headers
    ]


def _string(strings: bytes, offset: int) -> str:
    return strings[offset : strings.index(b"\0", offset)].decode()
