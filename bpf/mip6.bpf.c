// SPDX-License-Identifier: GPL-2.0
/* The data plane of mip6: the packet's way between links and the mobility device.
 *
 *   device_egress   out of the mobility device: directly, or into a tunnel (out.h)
 *   link_ingress    into a link (Ethernet header; _l3: without one): out of the tunnel or
 *                   the headers of the direct way, if the addresses are the registered
 *                   ones, or whole to the daemon (in.h)
 *   steering        which queue of the device: 0 for the daemon's signalling, 1 for data,
 *                   2 for what is to be sent in fragments, or came in some
 *
 * Everything that is not ours goes on as if these programs were not there (TC_ACT_UNSPEC:
 * other classifiers of the same hook still see it). */
#include "in.h"
#include "out.h"

SECTION("program/device_egress") int device_egress(struct __sk_buff *skb)
{
	return leave(skb, 0);
}

/* The same behind an Ethernet header, as BPF_PROG_TEST_RUN gives it. */
SECTION("program/device_egress_l2") int device_egress_l2(struct __sk_buff *skb)
{
	return leave(skb, ETH_HLEN);
}

SECTION("program/link_ingress") int link_ingress(struct __sk_buff *skb)
{
	return arrive(skb, ETH_HLEN);
}

SECTION("program/link_ingress_l3") int link_ingress_l3(struct __sk_buff *skb)
{
	return arrive(skb, 0);
}

SECTION("program/steering") int steering(struct __sk_buff *skb)
{
	return skb->mark == MARK ? 0 : skb->mark == MARK_LONG ? 2 : 1;
}

char SECTION("license") licence[] = "GPL";
