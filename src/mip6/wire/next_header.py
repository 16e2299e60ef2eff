"""The Next Header values that this implementation knows by name (RFC 8200 §4)."""

from enum import IntEnum


class NextHeader(IntEnum):
    HOP_BY_HOP_OPTIONS = 0
    IPV6 = 41
    ROUTING = 43
    FRAGMENT = 44
    ESP = 50
    AUTHENTICATION = 51
    ICMPV6 = 58
    NO_NEXT_HEADER = 59
    DESTINATION_OPTIONS = 60
    MOBILITY = 135
