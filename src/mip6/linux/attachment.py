"""Our programs on interfaces, where they work on while the daemon is away.

From Linux 6.6 by links of tcx, pinned; before that as filters of a clsact qdisc, which
is slower.  Either way they share the hook with the programs of others, let everything
that is not ours pass on to those behind, and are replaced in one step.

    PINS/links/3-ingress-tcx  the pinned link (3: interface index)
    PINS/links/3-ingress      a filter of ours is there
    PINS/links/3-ingress-own  ... and the clsact qdisc is of our making, too
"""

import contextlib
import errno
import importlib
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from . import bpf

PRIORITY: Final = 6275
"""Of our filters in a clsact qdisc."""

_HOOKS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}
_TCX = {"ingress": bpf.TCX_INGRESS, "egress": bpf.TCX_EGRESS}
_GONE = (errno.ENOENT, errno.ENODEV, errno.EINVAL, errno.ENXIO)

T = TypeVar("T")


def attach(pins: Path, index: int, hook: str, program: bpf.Program) -> None:
    """`hook` is "ingress" or "egress".  Raises `BpfError` if the kernel refuses."""
    if _attach_link(pins, index, hook, program):
        _detach_filter(pins, index, hook)
    else:
        _attach_filter(pins, index, hook, program)


def detach(pins: Path, index: int, hook: str) -> None:
    """Leaves the interface as it was found; one that is gone is fine."""
    _detach_link(pins, index, hook)
    _detach_filter(pins, index, hook)


def detach_all(pins: Path) -> None:
    """Whatever the pins say is attached."""
    for marker in sorted((pins / "links").glob("*")):
        index, hook = marker.name.split("-")[:2]
        detach(pins, int(index), hook)


def prepare_to_detach(pins: Path) -> None:
    """Loads what `detach_all` will need: who changes user in between may then be where
    this Python's files cannot be read."""
    markers = [marker.name for marker in (pins / "links").glob("*")]
    if not all(name.endswith("-tcx") for name in markers):
        _netlink(lambda ip: list(ip.get_qdiscs(index=1)))
        importlib.import_module("pyroute2.netlink.exceptions")


# tcx


def _attach_link(pins: Path, index: int, hook: str, program: bpf.Program) -> bool:
    """False: this kernel has no tcx."""
    pin = pins / "links" / f"{index}-{hook}-tcx"
    if pin.exists():
        with contextlib.closing(bpf.Link.pinned(pin)) as link:
            try:
                link.update(program)
                return True
            except bpf.BpfError as error:
                if error.errno != errno.ENOLINK:
                    raise
        pin.unlink()  # of an interface that is gone and had the same index
    try:
        created = bpf.Link.create(program, index, _TCX[hook])
    except bpf.BpfError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    with contextlib.closing(created):
        created.pin(pin)
    return True


def _detach_link(pins: Path, index: int, hook: str) -> None:
    pin = pins / "links" / f"{index}-{hook}-tcx"
    if not pin.exists():
        return
    with contextlib.closing(bpf.Link.pinned(pin)) as link:
        link.detach()
    pin.unlink()


# clsact


def _attach_filter(pins: Path, index: int, hook: str, program: bpf.Program) -> None:
    marker = pins / "links" / f"{index}-{hook}"
    own = marker.with_name(f"{marker.name}-own")
    with _named(f"attach the program {program.name} to interface {index}"):
        if _netlink(lambda ip: _make_qdisc(ip, index)):
            own.mkdir(exist_ok=True)
        elif not own.exists():
            marker.mkdir(exist_ok=True)
        _netlink(
            lambda ip: ip.tc(
                "replace-filter",
                "bpf",
                index,
                handle=_handle(pins),
                parent=_HOOKS[hook],
                prio=PRIORITY,
                fd=program.fd,
                name=f"mip6:{pins.name}:{program.name}",
                direct_action=True,
            )
        )


def _handle(pins: Path) -> int:
    """Of our filters: one for each instance, so that several share a link."""
    return zlib.crc32(pins.name.encode()) or 1


def _detach_filter(pins: Path, index: int, hook: str) -> None:
    marker = pins / "links" / f"{index}-{hook}"
    own = marker.with_name(f"{marker.name}-own")
    if not (marker.exists() or own.exists()):
        return
    with _named(f"detach from interface {index}", _GONE):
        _netlink(
            lambda ip: ip.tc(
                "del-filter",
                "bpf",
                index,
                handle=_handle(pins),
                parent=_HOOKS[hook],
                prio=PRIORITY,
            )
        )
    if own.exists():
        with _named(f"delete the clsact qdisc of interface {index}", _GONE):
            _netlink(lambda ip: _delete_unused_qdisc(ip, index))
        own.rmdir()
    if marker.exists():
        marker.rmdir()


def _make_qdisc(ip: Any, index: int) -> bool:
    """Whether it had to be made."""
    kinds = [qdisc.get_attr("TCA_KIND") for qdisc in ip.get_qdiscs(index=index)]
    if "clsact" in kinds:
        return False
    ip.tc("add", "clsact", index)
    return True


def _delete_unused_qdisc(ip: Any, index: int) -> None:
    """Others may have put their filters on the qdisc that we made."""
    if not any(list(ip.get_filters(index=index, parent=p)) for p in _HOOKS.values()):
        ip.tc("del", "clsact", index)


def _netlink(act: Callable[[Any], T]) -> T:
    """`act` with an open socket, in a thread of its own: pyroute2 runs an event loop
    inside, which cannot be done where one is running already."""

    def work() -> T:
        from pyroute2 import IPRoute  # a third of a second; most users never attach

        with IPRoute() as ip:
            return act(ip)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


@contextlib.contextmanager
def _named(what: str, harmless: tuple[int, ...] = ()) -> Iterator[None]:
    """Errors of pyroute2 as ours, saying what failed."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        yield
    except NetlinkError as error:
        if error.code not in harmless:
            raise bpf.BpfError(error.code, f"{what}: {error.args[1]}") from None
