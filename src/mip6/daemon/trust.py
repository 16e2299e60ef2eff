"""What a mobile node and its home agent share, as the configuration says it.

`authentication` names one of four ways, and each wants other keys of the file:

    shared_key   key
    mn_ha        key, identifier (RFC 4285); mobility_spi with another implementation
    manual       binding, prefix_discovery, return_routability (RFC 3776)
    none         nothing
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from mip6.security.esp import encryption_named, integrity_named
from mip6.security.keys import KEYS_MAX

from .section import Section

Mechanism = Literal["shared_key", "manual", "mn_ha", "none"]

SPI_MAX = 0xFFFFFFFF


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _listed(value: object) -> object:
    return [value] if isinstance(value, dict) else value


def _checked(check: Callable[[str], object]) -> AfterValidator:
    def checked(name: str) -> str:
        check(name)
        return name

    return AfterValidator(checked)


KeyFile = Annotated[str, Field(min_length=1)]
"""A path, relative to the configuration file."""
KeyFiles = Annotated[
    tuple[KeyFile, ...], Field(strict=False), BeforeValidator(_one_or_more)
]
Spi = Annotated[int, Field(ge=256, le=SPI_MAX)]


class OneWay(Section):
    """One direction of a pair of manual security associations."""

    spi: Spi
    key: KeyFile
    """A file with the key of the integrity algorithm, and in a second line that of the
    encryption algorithm, in hexadecimal."""


class Pair(Section):
    """Two manual security associations, one each way (RFC 3776 §5)."""

    integrity: Annotated[str, _checked(integrity_named)] = "hmac-sha2-256-128"
    encryption: Annotated[str, _checked(encryption_named)] = "aes-cbc"
    to_home_agent: OneWay
    to_mobile_node: OneWay


Pairs = Annotated[
    tuple[Pair, ...], Field(strict=False, max_length=KEYS_MAX), BeforeValidator(_listed)
]
"""One table, or two (`[[...]]`) while one pair replaces the other: the first protects
what is sent, both are accepted."""


class Trust(Section):
    """What one mobile node and its home agent share."""

    key: KeyFiles = ()
    """Files that `mip6 keygen` made.  Of two, while one key replaces the other, the
    first protects what is sent; both are accepted."""
    identifier: Annotated[str | None, Field(min_length=1)] = None
    """user@realm (RFC 4283)."""
    mobility_spi: Spi | None = None
    """With it `key` is a file with 16 octets in hexadecimal."""
    binding: Pairs = ()
    prefix_discovery: Pairs = ()
    return_routability: Pairs = ()


_WANTED: dict[str, tuple[str, ...]] = {
    "shared_key": ("key",),
    "mn_ha": ("key", "identifier"),
    "manual": ("binding",),
    "none": (),
}
_ALLOWED: dict[str, tuple[str, ...]] = {
    **_WANTED,
    "mn_ha": ("key", "identifier", "mobility_spi"),
    "manual": ("binding", "prefix_discovery", "return_routability"),
}
EXAMPLES = {
    "key": 'key = "laptop.key" (mip6 keygen > laptop.key makes one)',
    "identifier": 'identifier = "laptop@example.com" (RFC 4285 4)',
    "binding": "a table binding (docs/security.md, manual associations)",
}


def contradictions(mechanism: str, trust: Trust) -> Iterator[tuple[str, str]]:
    """What `mechanism` lacks in `trust`, and what it has no use for: key and words."""
    for name in _WANTED[mechanism]:
        if not getattr(trust, name):
            yield name, f'authentication = "{mechanism}" needs {EXAMPLES[name]}'
    for name in Trust.model_fields:
        if name not in _ALLOWED[mechanism] and getattr(trust, name):
            yield name, f'"{name}" is not for authentication = "{mechanism}"'
