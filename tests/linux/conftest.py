from collections.abc import Iterator

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
