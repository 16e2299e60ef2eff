"""A skip that nobody expected fails CI; what is expected depends on the kernel."""

import pytest
from tests.support.skips import expected_skips

LISTED = """\
# why
tests/a.py::always

# a newer kernel has it
before 6.6: tests/b.py::test_it[tcx]
"""


@pytest.mark.parametrize("kernel", ["5.10.0-28-amd64", "6.1.176", "6.5"])
def test_an_older_kernel_may_lack_something(kernel: str) -> None:
    listed = ["tests/a.py::always", "tests/b.py::test_it[tcx]"]
    assert expected_skips(LISTED, kernel) == listed


@pytest.mark.parametrize("kernel", ["6.6.0", "6.18.5", "7.0-rc1", "10.1"])
def test_a_newer_one_may_not(kernel: str) -> None:
    assert expected_skips(LISTED, kernel) == ["tests/a.py::always"]
