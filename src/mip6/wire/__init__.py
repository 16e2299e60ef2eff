"""Bytes to values and back: the formats of RFC 6275 and what carries them.

Standard library only; no clock, no chance, no sockets.  What can be constructed encodes
and decodes back; any bytes decode or raise `WireError`, nothing else.
"""
