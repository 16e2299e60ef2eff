"""Between wire and core: which packets are authentic, and how ours become so."""

import os
import time
from collections.abc import Mapping
from ipaddress import IPv6Address

from mip6.core.state import End
from mip6.security.associations import Associations
from mip6.security.authentication_option import AuthenticationOptions
from mip6.security.verdict import Mark, Protected, Refused, Rejected, Verified

from .credentials import Credentials


class Protection:
    """The configured mechanism at work; with no credentials, none.

    stored: the `Mark`s of earlier processes.
    """

    def __init__(
        self, end: End, credentials: Credentials, stored: Mapping[str, int]
    ) -> None:
        self.fingerprints: Mapping[IPv6Address, list[str]] = credentials.fingerprints
        self._esp: Associations | None = None
        self._options: AuthenticationOptions | None = None
        if credentials.by_esp:
            self._esp = Associations(
                end,
                credentials.associations,
                random=os.urandom,
                stored=stored,
                # Should the file be lost, the peer's window is not ahead of us.
                first=int(time.time()),
            )
        elif credentials.by_option:
            self._options = AuthenticationOptions(
                end, credentials.mobility, random=os.urandom, stored=stored
            )

    def replace(self, credentials: Credentials) -> None:
        """Let these be the keys, of the same mechanism.  Numbers go on being counted.

        Raises ValueError if they cannot stand side by side; then the old ones stay.
        """
        if self._esp is not None:
            self._esp.replace(credentials.associations)
        elif self._options is not None:
            self._options.replace(credentials.mobility)
        self.fingerprints = credentials.fingerprints

    @property
    def spis(self) -> frozenset[int]:
        """Of the ESP that is ours to open."""
        return self._esp.spis if self._esp else frozenset()

    def reserve(self) -> list[Mark]:
        """See `Associations.reserve`."""
        return self._esp.reserve() if self._esp is not None else []

    def verify(self, octets: bytes, now: float) -> Verified | Rejected | Refused:
        """Judge one whole packet as received; nothing raises anything."""
        if self._esp is not None:
            return self._esp.verify(octets)
        if self._options is not None:
            return self._options.verify(octets, now, time.time())
        return Verified(octets)

    def protect(self, octets: bytes) -> Protected | Rejected:
        """Protect one whole packet that is about to be sent, if it must be."""
        if self._esp is not None:
            return self._esp.protect(octets)
        if self._options is not None:
            return self._options.protect(octets, time.time())
        return Protected(octets)
