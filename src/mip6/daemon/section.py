"""What the tables of a configuration file are made of."""

import re
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class Section(BaseModel):
    """One table: no unknown keys, nothing converted silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _parsed(kind: type) -> BeforeValidator:
    """ipaddress's own words tell what is wrong; pydantic's do not."""

    def parse(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f'must be a string such as "{_EXAMPLES[kind]}"')
        return kind(value)

    return BeforeValidator(parse)


_EXAMPLES: dict[type, str] = {
    IPv6Address: "2001:db8:a::1",
    IPv6Network: "2001:db8:a::/64",
    IPv6Interface: "2001:db8:a::100/64",
}


def _link_name(value: str) -> str:
    if not re.fullmatch(r"[^/\s]{1,15}", value) or value in (".", ".."):
        raise ValueError(f'"{value}" cannot be the name of an interface')
    return value


Address = Annotated[IPv6Address, _parsed(IPv6Address)]
Network = Annotated[IPv6Network, _parsed(IPv6Network)]
Interface = Annotated[IPv6Interface, _parsed(IPv6Interface)]
LinkName = Annotated[str, AfterValidator(_link_name)]
Lifetime = Annotated[int, Field(ge=4, le=65535 * 4, multiple_of=4)]
"""Seconds, of a binding."""


def usable(address: IPv6Address) -> IPv6Address:
    """Raises ValueError for what cannot be anybody's address elsewhere."""
    if (
        address.is_multicast
        or address.is_link_local
        or address.is_loopback
        or address.is_unspecified
    ):
        raise ValueError(f"{address} is not a global unicast address")
    return address
