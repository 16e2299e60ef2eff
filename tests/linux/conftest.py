from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.namespaces import Namespace, namespaces


@pytest.fixture
def inside() -> Iterator[Namespace]:
    """A namespace of its own with a cable v0 - v1, entered by this thread."""
    with namespaces("linux") as (namespace,):
        namespace.ip("link add v0 type veth peer name v1")
        namespace.ip("link set v0 up")
        namespace.ip("link set v1 up")
        with namespace.entered():
            yield namespace


@pytest.fixture
def optimistic() -> None:
    """For tests of what Debian's user-mode-linux cannot do."""
    if not Path("/proc/sys/net/ipv6/conf/all/optimistic_dad").exists():
        pytest.skip("this kernel has no optimistic addresses (RFC 4429)")
