"""What the daemon counts, as Prometheus reads it: /metrics on the control socket."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry

from . import listing

if TYPE_CHECKING:
    from .daemon import Daemon

CONTENT_TYPE = CONTENT_TYPE_LATEST


def text(daemon: "Daemon") -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(daemon))
    return generate_latest(registry)


async def tunnels(daemon: "Daemon", query: Mapping[str, str]) -> bytes:
    """What went through the tunnel of each binding, on request: there may be a million.
    A page of them (`listing.page`, by home address), written here line by line, since
    the library takes half a second for ten thousand.  Raises ListingError."""
    wanted = {"limit": str(listing.LIMIT_MAX), **query, "counters": ""}
    document = await listing.page(daemon, wanted)
    counted = [
        (binding["home_address"], binding["traffic"])
        for binding in document["bindings"]
        if binding["traffic"] is not None
    ]
    lines = []
    for unit in ("packets", "octets"):
        name = f"mip6_tunnel_{unit}_total"
        lines.append(f"# HELP {name} {unit.title()} inside the tunnels of bindings")
        lines.append(f"# TYPE {name} counter")
        for home_address, traffic in counted:
            for way in ("in", "out"):
                labels = f'home_address="{home_address}",direction="{way}"'
                lines.append(f"{name}{{{labels}}} {traffic[f'{unit}_{way}']}")
        await asyncio.sleep(0)
    return "".join(f"{line}\n" for line in lines).encode()


class _Collector:
    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon

    def collect(self) -> Iterator[Metric]:
        daemon = self._daemon
        now = daemon.now()
        yield _gauge("uptime_seconds", "Since the start", now - daemon.started_at)
        home_agent, wanted = daemon.home_agent, daemon.configuration.home_agent
        if home_agent is not None and wanted is not None:
            yield _gauge("bindings", "Home registrations", home_agent.bindings_count)
            yield _gauge(
                "bindings_max", "No more are accepted than these", wanted.bindings_max
            )
        if (correspondent := daemon.correspondent) is not None:
            bindings = sum(1 for _ in correspondent.bindings)
            yield _gauge("correspondent_bindings", "Of mobile nodes here", bindings)
        yield _counter(
            "binding_changes", "Changes of bindings", "change", daemon.changes
        )
        refused = {str(status): n for status, n in daemon.refused.items()}
        yield _counter("refused", "Binding Updates refused", "status", refused)
        yield _counter("dropped", "Packets ignored", "reason", daemon.drops)
        counts = daemon.executor.counts
        signalling = {
            "received": daemon.received,
            "sent": counts.sent,
            "not_sent": counts.not_sent,
        }
        yield _counter("signalling", "Packets of signalling", "what", signalling)
        kernel = {
            "installed": counts.installed,
            "removed": counts.removed,
            "refused": counts.refused,
            "repaired": counts.repaired,
        }
        yield _counter("kernel_states", "States of the kernel", "what", kernel)
        yield _counter(
            "data_plane_packets",
            "Packets that the data plane saw",
            "what",
            daemon.machine.data_plane.counters(),
        )


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"mip6_{name}", about, value=value)


def _counter(name: str, about: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"mip6_{name}", about, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
