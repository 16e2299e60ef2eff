"""The shipped object is what the source gives, and both sides agree on the layout."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mip6.linux import bpf, elf, layout

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "src/mip6/linux/mip6.bpf.o"
HEADER = (ROOT / "bpf/layout.h").read_text()


@pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None,
    reason="needs the compiler (pip install ziglang==0.17.1)",
)
def test_object_is_what_the_source_gives(tmp_path: Path) -> None:
    """Wherever it is built: no path and no time gets into it."""
    source = tmp_path / "somewhere" / "else"
    shutil.copytree(ROOT / "bpf", source)
    built = tmp_path / "mip6.bpf.o"
    variables = [f"OBJECT={built}", f"PYTHON={sys.executable}"]
    subprocess.run(["make", "-s", "-C", source, *variables], check=True)
    assert built.read_bytes() == SHIPPED.read_bytes(), "run `make bpf` and commit it"


def test_reasons_are_the_same_on_both_sides() -> None:
    (names,) = re.findall(r"enum counter \{(.*?)\};", HEADER, re.DOTALL)
    names = re.sub(r"/\*.*?\*/", "", names, flags=re.DOTALL)
    reasons = [name.strip().lower() for name in names.split(",") if name.strip()]
    assert reasons == [*layout.COUNTERS, "counters"]


@pytest.mark.parametrize("name", ["LAYOUT_VERSION", "MARK", "MARK_LONG"])
def test_numbers_are_the_same_on_both_sides(name: str) -> None:
    (value,) = re.findall(rf"#define {name} (\w+)", HEADER)
    assert int(value, 0) == getattr(layout, name)


def test_what_is_in_the_object() -> None:
    shipped = elf.shipped()
    assert set(shipped.programs) == {
        "device_egress",
        "device_egress_l2",
        "link_ingress",
        "link_ingress_l3",
        "steering",
    }
    hashes = {"bindings": (16, 104), "registrations": (16, 104), "addresses": (16, 4)}
    hashes |= {"correspondents": (32, 64), "mobile_nodes": (32, 64)}
    hashes["spis"] = (4, 8)
    for name, definition in shipped.maps.items():
        if name in hashes:
            sizes = (definition.key_size, definition.value_size)
            # Preallocated: no flag.  # gotcha 13
            assert (definition.kind, definition.flags) == (bpf.HASH, 0)
            assert sizes == hashes.pop(name)
    assert not hashes


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x7fELF\x01\x01" + bytes(58), b"\x7fELF\x02\x01" + bytes(58)],
    ids=["empty", "32 bit", "another machine"],
)
def test_other_objects_are_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match="object"):
        elf.read(octets)
