"""`--dry-run` shows every change, and makes none."""

from pathlib import Path

import pytest

from mip6.daemon.configuration import load
from mip6.daemon.dry_run import lines

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        (
            "home_agent",
            [
                "sysctl -w net/ipv6/conf/eth1/proxy_ndp=1",
                "ip -6 neigh add proxy 2001:db8:a::100 dev eth1",
                "ip -6 route replace 2001:db8:a::100/128 dev mip0 metric 1024 proto 62",
            ],
        ),
        (
            "home_agent_virtual",
            ["ip -6 route replace 2001:db8:a::/64 dev mip0 metric 1024 proto 62"],
        ),
        (
            "mobile_node",
            [
                "sysctl -w net/ipv6/conf/eth0/accept_ra=0",
                "ip -6 addr add 2001:db8:a::100/128 dev mip0 nodad noprefixroute",
                "ip -6 rule add priority 999 from 2001:db8:a::100 lookup 100 "
                "protocol 62",
                "ip -6 rule add priority 1002 lookup 100 protocol 62",
                "ip -6 rule add priority 998 iif lo dport 1-65534 lookup 6275 "
                "protocol 62",
                "ip -6 route replace 2001:db8:fffe::100/128 dev mip0 table 6275 "
                "metric 1024 proto 62",
            ],
        ),
        (
            "correspondent_node",
            [
                "ip -6 rule add priority 998 iif lo dport 1-65534 lookup 6275 "
                "protocol 62",
                "ip -6 route replace 2001:db8:fffe::100/128 dev mip0 table 6275 "
                "metric 1024 proto 62",
            ],
        ),
    ],
)
def test_the_lines_of_each_role(example: str, expected: list[str]) -> None:
    shown = list(lines(load(EXAMPLES / f"{example}.toml"), "mip6"))
    assert set(expected) <= set(shown)
    assert "ip link set mip0 mtu 1452 up  # smallest link - 48" in shown
    tunnel = any(line.startswith("# tunnel of 2001:db8:a::100: ") for line in shown)
    assert tunnel == (example != "correspondent_node")
    assert any("ingress prio 6275" in line for line in shown)
    assert all(line.split()[0] in ("ip", "tc", "sysctl", "#") for line in shown)
