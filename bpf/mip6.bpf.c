// SPDX-License-Identifier: GPL-2.0
/* The data plane of mip6: the packet's way between links and the mobility device.
 *
 *   device_egress   out of the mobility device: into the tunnel of its addresses
 *   link_ingress    into a link (Ethernet header; _l3: without one): out of the tunnel if
 *                   the outer addresses are the registered ones, or whole to the daemon
 *   steering        which queue of the device: 0 for the daemon's signalling, 1 for data
 *
 * Everything that is not ours goes on as if these programs were not there (TC_ACT_UNSPEC:
 * other classifiers of the same hook still see it). */
#include "kernel.h"
#include "layout.h"

#define HEADERS_MAX 4 /* extension headers looked through; more is left to the kernel */
#define OPTIONS_MAX 8 /* options looked through for a Home Address option */
#define WAYS_BITS 8
#define WAY_NS 100000000 /* a new route or neighbour counts after so long at the latest */

enum {
	HOP_BY_HOP = 0,
	IPV6 = 41,
	ROUTING = 43,
	FRAGMENT_HEADER = 44,
	ESP = 50,
	ICMPV6 = 58,
	DESTINATION_OPTIONS = 60,
	MOBILITY = 135,
};
enum { PAD1 = 0, HOME_ADDRESS_OPTION = 0xC9, ROUTING_TYPE_2 = 2 };
enum { ICMPV6_AGENT_DISCOVERY = 144, ICMPV6_PREFIX_ADVERTISEMENT = 147 };
enum { ECN_NOT_CAPABLE = 0, ECN_1 = 1, ECN_0 = 2, ECN_CONGESTED = 3 };

struct ipv6 {
	u8 octets[4]; /* version, traffic class, flow label */
	u16 payload_length;
	u8 next_header, hop_limit;
	struct address source, destination;
};

/* What is written before a packet: the Ethernet header and the outer one. */
struct frame {
	u16 unused; /* what follows the Ethernet header is aligned so */
	u8 link_destination[6], link_source[6];
	u16 type;
	struct ipv6 header;
};
enum { FRAME_LENGTH = ETH_HLEN + sizeof(struct ipv6) };

/* Where packets with this outer header go, remembered for a moment: looking up the route
 * and the neighbour costs as much as all the rest of the way out. */
struct way {
	struct address source, destination;
	u32 flow;	/* traffic class and flow label, which may choose the route */
	u32 length_max; /* the longest packet known to fit */
	u64 until;	/* ns of the boot clock */
	u32 link;
	u8 link_destination[6], link_source[6];
};

struct map_definition SECTION("maps") bindings = {
	MAP_HASH, sizeof(struct address), sizeof(struct tunnel), 65536, 0,
};
struct map_definition SECTION("maps") registrations = {
	MAP_HASH, sizeof(struct address), sizeof(struct tunnel), 64, 0,
};
struct map_definition SECTION("maps") addresses = {
	MAP_HASH, sizeof(struct address), sizeof(u32), 1024, 0,
};
struct map_definition SECTION("maps") spis = {
	MAP_HASH, sizeof(u32), sizeof(u64), 64, 0,
};
struct map_definition SECTION("maps") settings = {
	MAP_ARRAY, sizeof(u32), sizeof(struct settings), 1, 0,
};
struct map_definition SECTION("maps") counters = {
	MAP_PERCPU_ARRAY, sizeof(u32), sizeof(u64), COUNTERS, 0,
};
struct map_definition SECTION("maps") budgets = {
	MAP_PERCPU_ARRAY, sizeof(u32), sizeof(u64), BUDGETS, 0,
};
struct map_definition SECTION("maps") ways = {
	MAP_PERCPU_ARRAY, sizeof(u32), sizeof(struct way), 1 << WAYS_BITS, 0,
};

INLINE void count(u32 reason)
{
	u64 *packets = bpf_map_lookup_elem(&counters, &reason);
	if (packets)
		*packets += 1;
}

INLINE int drop(u32 reason)
{
	count(reason);
	return TC_ACT_SHOT;
}

INLINE int equal(const struct address *a, const struct address *b)
{
	return a->high == b->high && a->low == b->low;
}

INLINE int is_ours(const struct address *address)
{
	return bpf_map_lookup_elem(&addresses, address) != NULL;
}

INLINE int find(void *map, const struct address *home_address, struct tunnel *tunnel)
{
	const struct tunnel *found = bpf_map_lookup_elem(map, home_address);
	if (!found)
		return 0;
	*tunnel = *found;
	return 1;
}

INLINE u8 congestion(const struct ipv6 *header)
{
	return header->octets[1] >> 4 & 3;
}

/* A token bucket in one number: the time at which the bucket is full again. */
INLINE int take(u64 *full, u64 interval, u64 burst, u64 now)
{
	u64 at = *full > now ? *full : now;
	if (at - now > burst)
		return 0;
	*full = at + interval;
	return 1;
}

INLINE int within_budget(u32 which, u64 interval, u64 burst, u64 now)
{
	u64 *full = bpf_map_lookup_elem(&budgets, &which);
	return full && take(full, interval, burst, now);
}

/* ---- out of the mobility device ---- */

INLINE int is_link_scope(const struct address *destination)
{
	const u8 *octets = (const u8 *)destination;
	if (octets[0] == 0xFF) /* interface-local, link-local multicast */
		return (octets[1] & 0xF) <= 2;
	return octets[0] == 0xFE && (octets[1] & 0xC0) == 0x80;
}

INLINE struct way *way_of(const struct ipv6 *outer, u32 flow)
{
	u64 mix = outer->source.low ^ outer->destination.high ^ outer->destination.low ^ flow;
	u32 slot = mix * 0x9E3779B97F4A7C15 >> (64 - WAYS_BITS);
	return bpf_map_lookup_elem(&ways, &slot);
}

INLINE int is_known(const struct way *way, const struct ipv6 *outer, u32 flow, u32 length,
		    u64 now)
{
	return way->until > now && way->flow == flow && way->length_max >= length &&
	       equal(&way->source, &outer->source) &&
	       equal(&way->destination, &outer->destination);
}

INLINE int write(struct __sk_buff *skb, const struct frame *frame)
{
	return bpf_skb_store_bytes(skb, 0, frame->link_destination, FRAME_LENGTH, 0) == 0;
}

/* The room for `frame` is made. */
INLINE int send(struct __sk_buff *skb, const struct settings *config, struct frame *frame,
		u64 now)
{
	const struct ipv6 *outer = &frame->header;
	u32 flow = *(const u32 *)outer->octets & __builtin_bswap32(0x0FFFFFFF);
	/* What is cut up later was held against the MTU of the device by the kernel. */
	u32 length = skb->gso_size ? 0 : ntohs(outer->payload_length) + sizeof(*outer);
	struct way *way = way_of(outer, flow);
	if (!way)
		return drop(DROPPED_ROUTE);
	if (is_known(way, outer, flow, length, now)) {
		__builtin_memcpy(frame->link_destination, way->link_destination, 12);
		if (!write(skb, frame))
			return drop(DROPPED_HEADER);
		count(TUNNEL_OUT);
		return bpf_redirect(way->link, 0);
	}
	struct bpf_fib_lookup route = {};
	route.family = AF_INET6;
	route.l4_protocol = IPV6;
	route.tot_len = length;
	route.ifindex = config->device;
	route.flowinfo = flow;
	__builtin_memcpy(route.ipv6_src, &outer->source, 16);
	__builtin_memcpy(route.ipv6_dst, &outer->destination, 16);
	long result = bpf_fib_lookup(skb, &route, sizeof(route), 0);
	if (result == BPF_FIB_LKUP_RET_FWD_DISABLED)
		return drop(DROPPED_FORWARDING);
	if (result == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return drop(DROPPED_SIZE);
	if (result != BPF_FIB_LKUP_RET_SUCCESS && result != BPF_FIB_LKUP_RET_NO_NEIGH)
		return drop(DROPPED_ROUTE);
	if (route.ifindex == config->device)
		return drop(DROPPED_LOOP);
	if (!write(skb, frame))
		return drop(DROPPED_HEADER);
	count(TUNNEL_OUT);
	/* Without a neighbour entry the helper must look the route up itself: given a next
	 * hop it keeps the device's route in the packet, and what waits for neighbour
	 * discovery is then sent into the device again. */
	if (result == BPF_FIB_LKUP_RET_NO_NEIGH)
		return bpf_redirect_neigh(route.ifindex, NULL, 0, 0);
	way->source = outer->source;
	way->destination = outer->destination;
	way->flow = flow;
	way->length_max = length;
	way->until = now + WAY_NS;
	way->link = route.ifindex;
	__builtin_memcpy(way->link_destination, route.dmac, 6);
	__builtin_memcpy(way->link_source, route.smac, 6);
	/* This packet goes by the neighbour entry, which so learns that it is in use and
	 * makes sure that the neighbour is still there. */
	struct bpf_redir_neigh next_hop = {.nh_family = AF_INET6};
	__builtin_memcpy(next_hop.ipv6_nh, route.ipv6_dst, 16);
	return bpf_redirect_neigh(route.ifindex, &next_hop, sizeof(next_hop), 0);
}

INLINE int encapsulate(struct __sk_buff *skb, const struct settings *config,
		       const struct address *source, const struct address *destination,
		       struct frame *frame, u64 now, const u32 start)
{
	struct ipv6 *header = &frame->header;
	u32 length = skb->len - start;
	if (length > 0xFFFF - sizeof(*header))
		return drop(DROPPED_SIZE);
	/* Flow label and traffic class stay, congestion marks with it: RFC 6040 4.1. */
	header->payload_length = htons(length);
	header->next_header = IPV6;
	header->hop_limit = 64;
	header->source = *source;
	header->destination = *destination;
	u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	/* A packet that tc took out of one tunnel still passes for encapsulated and is
	 * refused; the offsets of its inner headers are right as they are. */
	if (bpf_skb_adjust_room(skb, sizeof(*header), BPF_ADJ_ROOM_MAC,
				flags | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6) &&
	    bpf_skb_adjust_room(skb, sizeof(*header), BPF_ADJ_ROOM_MAC, flags))
		return drop(DROPPED_HEADER);
	if (start == 0 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return drop(DROPPED_HEADER);
	return send(skb, config, frame, now);
}

INLINE int is_open(const struct tunnel *tunnel, u64 now)
{
	return tunnel->expires > now && !(tunnel->flags & INBOUND_ONLY);
}

INLINE int leave(struct __sk_buff *skb, const u32 start)
{
	const u32 zero = 0;
	struct frame frame = {.type = htons(ETH_P_IPV6)};
	struct tunnel tunnel;
	const struct settings *config = bpf_map_lookup_elem(&settings, &zero);
	if (skb->mark == MARK || !config)
		return TC_ACT_UNSPEC;
	if (skb->protocol != htons(ETH_P_IPV6) ||
	    bpf_skb_load_bytes(skb, start, &frame.header, sizeof(frame.header)))
		return drop(DROPPED_MALFORMED);
	struct address source = frame.header.source, destination = frame.header.destination;
	if (is_link_scope(&destination))
		return drop(DROPPED_LINK_SCOPE);
	u64 now = bpf_ktime_get_boot_ns();
	if (find(&registrations, &source, &tunnel) && is_open(&tunnel, now))
		return encapsulate(skb, config, &tunnel.care_of_address, &tunnel.home_agent,
				   &frame, now, start);
	if (find(&bindings, &destination, &tunnel) && is_open(&tunnel, now))
		return encapsulate(skb, config, &tunnel.home_agent, &tunnel.care_of_address,
				   &frame, now, start);
	if (!within_budget(BUDGET_UNMATCHED, config->unmatched_interval,
			   config->unmatched_burst, now))
		return drop(DROPPED_UNMATCHED);
	count(UNMATCHED);
	return TC_ACT_UNSPEC;
}

/* ---- into a link ---- */

/* What a chain of extension headers comes to. */
struct chain {
	u32 offset;	/* of what follows them */
	u8 next;	/* and its number; that of an extension header: gave up */
	u8 home_address_option, routing;
};

INLINE int has_home_address_option(struct __sk_buff *skb, u32 offset, u32 end)
{
	for (int i = 0; i < OPTIONS_MAX; i++) {
		u8 option[2];
		if (offset + 2 > end || bpf_skb_load_bytes(skb, offset, option, 2))
			return 0;
		if (option[0] == HOME_ADDRESS_OPTION)
			return 1;
		offset += option[0] == PAD1 ? 1 : 2 + option[1];
	}
	return 0;
}

INLINE int is_extension(u8 next)
{
	return next == HOP_BY_HOP || next == DESTINATION_OPTIONS || next == ROUTING;
}

/* Whether a packet with this next header can be anything to us. */
INLINE int is_of_interest(u8 next)
{
	return next == IPV6 || next == MOBILITY || next == ICMPV6 || next == FRAGMENT_HEADER ||
	       next == ESP || is_extension(next);
}

/* False: the packet ends too early, or has a routing header that is none of ours. */
INLINE int follow(struct __sk_buff *skb, u32 offset, u8 next, struct chain *chain)
{
	chain->home_address_option = chain->routing = 0;
	for (int i = 0; i < HEADERS_MAX && is_extension(next); i++) {
		u8 header[4];
		if (bpf_skb_load_bytes(skb, offset, header, sizeof(header)))
			return 0;
		u32 end = offset + 8 + 8 * header[1];
		if (next == ROUTING) {
			if (header[2] != ROUTING_TYPE_2)
				return 0;
			chain->routing = 1;
		}
		if (next == DESTINATION_OPTIONS && has_home_address_option(skb, offset + 2, end))
			chain->home_address_option = 1;
		next = header[0];
		offset = end;
	}
	chain->next = next;
	chain->offset = offset;
	return 1;
}

INLINE int is_signalling(struct __sk_buff *skb, const struct chain *chain)
{
	u8 type;
	if (chain->next == MOBILITY)
		return 1;
	return chain->next == ICMPV6 && !bpf_skb_load_bytes(skb, chain->offset, &type, 1) &&
	       type >= ICMPV6_AGENT_DISCOVERY && type <= ICMPV6_PREFIX_ADVERTISEMENT;
}

INLINE int hand_to_daemon(struct __sk_buff *skb, const struct settings *config, u32 reason)
{
	count(reason);
	skb->mark = MARK;
	return bpf_redirect(config->device, 0);
}

/* Anybody can send it, so that it has a budget where ESP is what counts. */
INLINE int hand_over_signalling(struct __sk_buff *skb, const struct settings *config)
{
	if (!within_budget(BUDGET_OPEN, config->open_interval, config->open_burst,
			   bpf_ktime_get_boot_ns()))
		return drop(DROPPED_SIGNALLING);
	return hand_to_daemon(skb, config, SIGNALLING);
}

/* ESP to one of our addresses.  Each SPI has its own budget, of all CPUs: who floods with
 * an SPI that was seen on the way takes it from one mobile node, not from all. */
INLINE int arrive_in_esp(struct __sk_buff *skb, const struct settings *config,
			 const struct chain *chain)
{
	u32 spi;
	u64 *full = NULL;
	if (!bpf_skb_load_bytes(skb, chain->offset, &spi, sizeof(spi)))
		full = bpf_map_lookup_elem(&spis, &spi);
	if (!full) {
		if (chain->home_address_option || chain->routing)
			count(UNKNOWN_SPI);
		return TC_ACT_UNSPEC;
	}
	if (!take(full, config->esp_interval, config->esp_burst, bpf_ktime_get_boot_ns()))
		return drop(DROPPED_ESP);
	return hand_to_daemon(skb, config, SIGNALLING);
}

/* RFC 6040 4.2, normal mode.  True: the combination is to be dropped. */
INLINE int merge_congestion(struct __sk_buff *skb, const struct ipv6 *outer,
			    const struct ipv6 *inner, u32 offset)
{
	u8 out = congestion(outer), in = congestion(inner);
	if (in == ECN_NOT_CAPABLE)
		return out == ECN_CONGESTED;
	if (out != ECN_CONGESTED && !(in == ECN_0 && out == ECN_1))
		return 0;
	u8 octet = (inner->octets[1] & 0xCF) | out << 4;
	bpf_skb_store_bytes(skb, offset + 1, &octet, 1, BPF_F_RECOMPUTE_CSUM);
	return 0;
}

/* Whether `address` is the care-of address, or the one before it in its grace period
 * (docs/decisions/0003). */
INLINE int is_care_of(const struct tunnel *tunnel, const struct address *address, u64 now)
{
	return equal(address, &tunnel->care_of_address) ||
	       (tunnel->previous_until > now && equal(address, &tunnel->previous));
}

/* 0 if the packet came through the tunnel as RFC 6275 10.4.5 and 11.3.1 want it, at either
 * end: between the two addresses that are registered, within the lifetime. */
INLINE u32 refused(const struct tunnel *tunnel, const struct address *care_of_address,
		   const struct address *home_agent, u64 now)
{
	if (!equal(home_agent, &tunnel->home_agent))
		return DROPPED_HOME_AGENT;
	if (!is_care_of(tunnel, care_of_address, now))
		return DROPPED_CARE_OF_ADDRESS;
	return tunnel->expires > now ? 0 : DROPPED_EXPIRED;
}

INLINE int decapsulate(struct __sk_buff *skb, const struct settings *config,
		       const struct ipv6 *outer, const struct chain *chain, const u32 start)
{
	struct ipv6 inner;
	struct tunnel tunnel;
	struct chain within;
	if (bpf_skb_load_bytes(skb, chain->offset, &inner, sizeof(inner)) ||
	    inner.octets[0] >> 4 != 6)
		return TC_ACT_UNSPEC;
	struct address source = inner.source, destination = inner.destination;
	struct address from = outer->source, to = outer->destination;
	if (inner.next_header != IPV6 && is_of_interest(inner.next_header) &&
	    follow(skb, chain->offset + sizeof(inner), inner.next_header, &within) &&
	    is_signalling(skb, &within) && is_ours(&to) && is_ours(&destination))
		return hand_over_signalling(skb, config);
	u64 now = bpf_ktime_get_boot_ns();
	u32 reason = COUNTERS; /* no such home address: not ours */
	if (find(&registrations, &destination, &tunnel))
		reason = refused(&tunnel, &to, &from, now);
	if (reason && find(&bindings, &source, &tunnel))
		reason = refused(&tunnel, &from, &to, now);
	if (reason == COUNTERS) {
		if (is_ours(&to))
			count(UNKNOWN_TUNNEL);
		return TC_ACT_UNSPEC;
	}
	if (reason) /* somebody else's tunnel may pass through here */
		return is_ours(&to) ? drop(reason) : TC_ACT_UNSPEC;
	if (merge_congestion(skb, outer, &inner, chain->offset))
		return drop(DROPPED_CONGESTION);
	int excess = chain->offset - start;
	if (bpf_skb_adjust_room(skb, -excess, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return drop(DROPPED_HEADER);
	count(TUNNEL_IN);
	return bpf_redirect(config->device, BPF_F_INGRESS);
}

INLINE int arrive(struct __sk_buff *skb, const u32 start)
{
	const u32 zero = 0;
	struct ipv6 header;
	struct chain chain;
	u8 next;
	if (skb->protocol != htons(ETH_P_IPV6) || skb->pkt_type == PACKET_OTHERHOST ||
	    (skb->vlan_present && skb->vlan_tci & VLAN_VID_MASK))
		return TC_ACT_UNSPEC;
	const u8 *packet = (const u8 *)(long)skb->data;
	if (packet + start + sizeof(header) <= (const u8 *)(long)skb->data_end)
		next = packet[start + 6];
	else if (bpf_skb_load_bytes(skb, start + 6, &next, 1))
		return TC_ACT_UNSPEC;
	if (!is_of_interest(next))
		return TC_ACT_UNSPEC;
	const struct settings *config = bpf_map_lookup_elem(&settings, &zero);
	if (!config || bpf_skb_load_bytes(skb, start, &header, sizeof(header)) ||
	    !follow(skb, start + sizeof(header), next, &chain))
		return TC_ACT_UNSPEC;
	if (chain.next == IPV6 && !chain.home_address_option && !chain.routing)
		return decapsulate(skb, config, &header, &chain, start);
	struct address destination = header.destination;
	if (is_signalling(skb, &chain))
		return is_ours(&destination) ? hand_over_signalling(skb, config)
					     : TC_ACT_UNSPEC;
	if (chain.next == ESP)
		return is_ours(&destination) ? arrive_in_esp(skb, config, &chain)
					     : TC_ACT_UNSPEC;
	int unverified = chain.home_address_option || chain.routing;
	int unusual = chain.next == FRAGMENT_HEADER || is_extension(chain.next);
	if (!(unverified || unusual) || !is_ours(&destination))
		return TC_ACT_UNSPEC;
	if (unverified) {
		if (!within_budget(BUDGET_UNVERIFIED, config->unverified_interval,
				   config->unverified_burst, bpf_ktime_get_boot_ns()))
			return drop(DROPPED_UNVERIFIED);
		return hand_to_daemon(skb, config, UNVERIFIED);
	}
	count(chain.next == FRAGMENT_HEADER ? FRAGMENT : TOO_MANY_HEADERS);
	return TC_ACT_UNSPEC;
}

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
	return skb->mark != MARK;
}

char SECTION("license") licence[] = "GPL";
