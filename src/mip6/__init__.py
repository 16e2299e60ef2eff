"""Mobile IPv6 (RFC 6275) for Linux."""

__version__ = "0.1.0"
