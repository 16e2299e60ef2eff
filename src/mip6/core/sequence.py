"""Sequence numbers of Binding Updates (§9.5.1)."""


def follows(new: int, last: int) -> bool:
    """Whether `new` is greater than `last`, compared modulo 2**16.

    The 32767 numbers after `last` follow it; `last` and the 32768 before it do not.
    """
    return 1 <= (new - last) % 0x10000 <= 0x7FFF
