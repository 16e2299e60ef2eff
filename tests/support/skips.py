"""Which tests may skip in CI (tests/expected_skips.txt)."""

import re

_BEFORE = re.compile(r"before (\d+)\.(\d+): +(\S+)")


def expected_skips(text: str, kernel: str) -> list[str]:
    """The beginnings of node ids that `text` lists for a kernel (as `uname -r` has it).

    A line is a node id, "before 6.6: " and a node id, or a comment.
    """
    version = _version(kernel)
    found = []
    for line in text.splitlines():
        if before := _BEFORE.fullmatch(line.strip()):
            if version < (int(before[1]), int(before[2])):
                found.append(before[3])
        elif line.strip() and not line.startswith("#"):
            found.append(line.strip())
    return found


def _version(release: str) -> tuple[int, int]:
    numbers = re.match(r"(\d+)\.(\d+)", release)
    assert numbers, release
    return int(numbers[1]), int(numbers[2])
