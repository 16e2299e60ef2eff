/* SPDX-License-Identifier: GPL-2.0 */
/* Out of the mobility device: directly, or into the tunnel. */
#ifndef MIP6_OUT_H
#define MIP6_OUT_H

#include "common.h"

#define WAY_NS 100000000 /* a new route or neighbour counts after so long at the latest */
#define HOP_BY_HOP_MAX 64 /* octets of a header that others are put behind */
#define MTU_MIN 1280

/* What is written before a packet: the Ethernet header, the new IPv6 header, and what of
 * Mobile IPv6 follows it. */
struct frame {
	u16 unused; /* what follows the Ethernet header is aligned so */
	u8 link_destination[6], link_source[6];
	u16 type;
	struct ipv6 header;
	struct extension extensions[2];
};
enum { FRAME_LENGTH = ETH_HLEN + sizeof(struct ipv6) };

INLINE struct way *way_of(const struct ipv6 *outer, u32 flow)
{
	u32 slot = slot_of(outer->source.low ^ outer->destination.high ^
				   outer->destination.low ^ flow,
			   WAYS_BITS);
	return bpf_map_lookup_elem(&ways, &slot);
}

INLINE int is_known(const struct way *way, const struct ipv6 *outer, u32 flow, u32 length,
		    u64 now)
{
	return way->until > now && way->flow == flow && way->length_max >= length &&
	       equal(&way->source, &outer->source) &&
	       equal(&way->destination, &outer->destination);
}

/* `extra`: octets of frame->extensions. */
INLINE int write(struct __sk_buff *skb, const struct frame *frame, u32 extra)
{
	return bpf_skb_store_bytes(skb, 0, frame->link_destination, FRAME_LENGTH + extra,
				   0) == 0;
}

INLINE u32 flow_of(const struct ipv6 *header)
{
	return *(const u32 *)header->octets & __builtin_bswap32(0x0FFFFFFF);
}

/* As if forwarded from the mobility device, with all rules. */
INLINE long look_up(struct __sk_buff *skb, const struct settings *config,
		    const struct ipv6 *header, u32 length, struct bpf_fib_lookup *route)
{
	route->family = AF_INET6;
	route->l4_protocol = IPV6;
	route->tot_len = length;
	route->ifindex = config->device;
	route->flowinfo = flow_of(header);
	__builtin_memcpy(route->ipv6_src, &header->source, 16);
	__builtin_memcpy(route->ipv6_dst, &header->destination, 16);
	return bpf_fib_lookup(skb, route, sizeof(*route), 0);
}

/* By the neighbour entry, which so learns that it is in use and makes sure that the
 * neighbour is still there. */
INLINE int send_to_neighbor(u32 link, const u32 *next_hop, int has_neighbor)
{
	/* Without a neighbour entry the helper must look the route up itself: given a next
	 * hop it keeps the device's route in the packet, and what waits for neighbour
	 * discovery is then sent into the device again. */
	if (!has_neighbor)
		return bpf_redirect_neigh(link, NULL, 0, 0);
	struct bpf_redir_neigh gateway = {.nh_family = AF_INET6};
	__builtin_memcpy(gateway.ipv6_nh, next_hop, 16);
	return bpf_redirect_neigh(link, &gateway, sizeof(gateway), 0);
}

/* What stands behind the IPv6 header and hop-by-hop options, if there are any. */
struct content {
	u32 offset;
	u32 hop_by_hop; /* octets */
	u8 next;
};

INLINE int look_behind(struct __sk_buff *skb, u8 next, const u32 start, struct content *content)
{
	content->offset = start + sizeof(struct ipv6);
	content->hop_by_hop = 0;
	content->next = next;
	if (next != HOP_BY_HOP)
		return 1;
	u8 header[2];
	if (bpf_skb_load_bytes(skb, content->offset, header, 2))
		return 0;
	content->hop_by_hop = 8 + 8 * header[1];
	content->offset += content->hop_by_hop;
	content->next = header[0];
	return 1;
}

/* ---- whether it fits ---- */

/* The next step of a packet. */
struct step {
	const struct way *way; /* remembered; NULL: looked up, and all that follows is said */
	u32 link;
	u32 next_hop[4];
	u8 has_neighbor;
	u8 too_long;
};

/* Octets of this packet, or of the longest that the device cuts it into. */
INLINE u32 length_of(struct __sk_buff *skb, const struct content *content, const u32 start)
{
	u32 offset = content->offset;
	u8 next = content->next, header[2], octet;
	if (!skb->gso_size)
		return skb->len - start;
	for (int i = 0; i < HEADERS_MAX && is_extension(next); i++) {
		if (bpf_skb_load_bytes(skb, offset, header, 2))
			break;
		next = header[0];
		offset += 8 + 8 * header[1];
	}
	if (next == UDP)
		offset += 8;
	else if (next == TCP && !bpf_skb_load_bytes(skb, offset + 12, &octet, 1))
		offset += (octet >> 4) * 4;
	return offset - start + skb->gso_size;
}

/* Where a packet goes with `outer` and all that stands before it, which makes it longer
 * by `excess`.  0, or why it goes nowhere.  Before any room is made: what is too long for
 * its way goes to the daemon without an Ethernet header. */
INLINE u32 find_step(struct __sk_buff *skb, const struct settings *config,
		     const struct ipv6 *outer, u32 length, u32 excess, u32 path_mtu, u64 now,
		     struct step *step)
{
	u32 flow = flow_of(outer);
	struct way *way = way_of(outer, flow);
	u32 whole = length + excess;
	/* All of it: older verifiers do not see that what is too long has no link. */
	*step = (struct step){};
	if (!way)
		return DROPPED_ROUTE;
	step->too_long = path_mtu && whole > path_mtu;
	if (step->too_long)
		return length > MTU_MIN ? DROPPED_SIZE : 0;
	if (is_known(way, outer, flow, whole, now)) {
		step->way = way;
		return 0;
	}
	struct bpf_fib_lookup route = {};
	long result = look_up(skb, config, outer, whole, &route);
	if (result == BPF_FIB_LKUP_RET_FWD_DISABLED)
		return DROPPED_FORWARDING;
	step->too_long = result == BPF_FIB_LKUP_RET_FRAG_NEEDED;
	if (step->too_long)
		return length > MTU_MIN ? DROPPED_SIZE : 0;
	if (result != BPF_FIB_LKUP_RET_SUCCESS && result != BPF_FIB_LKUP_RET_NO_NEIGH)
		return DROPPED_ROUTE;
	if (route.ifindex == config->device)
		return DROPPED_LOOP;
	step->link = route.ifindex;
	step->has_neighbor = result == BPF_FIB_LKUP_RET_SUCCESS;
	__builtin_memcpy(step->next_hop, route.ipv6_dst, 16);
	if (step->has_neighbor) { /* the next packet goes faster */
		way->source = outer->source;
		way->destination = outer->destination;
		way->flow = flow;
		way->length_max = whole;
		way->until = now + WAY_NS;
		way->link = route.ifindex;
		__builtin_memcpy(way->link_destination, route.dmac, 6);
		__builtin_memcpy(way->link_source, route.smac, 6);
	}
	return 0;
}

/* RFC 2473 7.1 (b): no sender is told to send less, so we are the one who cuts it up.  A
 * program cannot; the daemon does. */
INLINE int send_in_fragments(struct __sk_buff *skb, const struct settings *config,
			     const struct frame *frame, u32 extra, u64 now, const u32 start)
{
	if (!within_budget(BUDGET_LONG, config->long_interval, config->long_burst, now))
		return drop(DROPPED_LONG);
	if (bpf_skb_store_bytes(skb, start, &frame->header, sizeof(frame->header) + extra, 0))
		return drop(DROPPED_HEADER);
	count(LONG_OUT);
	skb->mark = MARK_LONG;
	return TC_ACT_UNSPEC;
}

/* The room for the headers of `frame` is made, and `extra` octets of its extensions are to
 * be written. */
INLINE int send(struct __sk_buff *skb, const struct settings *config, struct frame *frame,
		struct step *step, u32 extra, u32 reason, u64 now, const u32 start)
{
	const struct way *way = step->way;
	if (step->too_long)
		return send_in_fragments(skb, config, frame, extra, now, start);
	if (start == 0 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return drop(DROPPED_HEADER);
	if (way)
		__builtin_memcpy(frame->link_destination, way->link_destination, 12);
	if (!write(skb, frame, extra))
		return drop(DROPPED_HEADER);
	count(reason);
	return way ? bpf_redirect(way->link, 0)
		   : send_to_neighbor(step->link, step->next_hop, step->has_neighbor);
}

/* What is known of the chosen way beside its addresses. */
struct choice {
	struct traffic *traffic;
	u32 path_mtu;
};

/* `frame` has the outer addresses, and the rest of the inner header. */
INLINE int encapsulate(struct __sk_buff *skb, const struct settings *config,
		       struct frame *frame, const struct content *content,
		       const struct choice *choice, u64 now, const u32 start)
{
	struct ipv6 *header = &frame->header;
	struct step step;
	u32 length = skb->len - start;
	if (length > 0xFFFF - sizeof(*header))
		return drop(DROPPED_SIZE);
	/* Flow label and traffic class stay, congestion marks with it: RFC 6040 4.1. */
	header->payload_length = htons(length);
	header->next_header = IPV6;
	header->hop_limit = 64;
	u32 reason = find_step(skb, config, header, length_of(skb, content, start),
			       sizeof(*header), choice->path_mtu, now, &step);
	if (reason)
		return drop(reason);
	choice->traffic->packets_out += packets_of(skb);
	choice->traffic->octets_out += length;
	u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	/* A packet that tc took out of one tunnel still passes for encapsulated and is
	 * refused; the offsets of its inner headers are right as they are. */
	if (bpf_skb_adjust_room(skb, sizeof(*header), BPF_ADJ_ROOM_MAC,
				flags | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6) &&
	    bpf_skb_adjust_room(skb, sizeof(*header), BPF_ADJ_ROOM_MAC, flags))
		return drop(DROPPED_HEADER);
	return send(skb, config, frame, &step, 0, TUNNEL_OUT, now, start);
}

/* ---- directly ---- */

/* How a packet goes to its destination, or to where that is now. */
enum {
	WITH_OPTION = 1,  /* from the care-of address, a Home Address option in it */
	WITH_ROUTING = 2, /* to the care-of address, a type 2 routing header in it */
};

/* Whether our headers may be put before what is there: not before further extension
 * headers, which might have to stand first, nor before what RFC 6275 wants without. */
INLINE int goes_directly(struct __sk_buff *skb, const struct content *content)
{
	u8 next = content->next;
	return next != MOBILITY && next != AUTHENTICATION && !is_extension(next) &&
	       content->hop_by_hop <= HOP_BY_HOP_MAX &&
	       !is_icmp(skb, next, content->offset, ICMPV6_ROUTER_SOLICITATION,
			ICMPV6_REDIRECT);
}

INLINE int is_home_test(struct __sk_buff *skb, const struct content *content)
{
	u8 type;
	return content->next == MOBILITY &&
	       !bpf_skb_load_bytes(skb, content->offset + 2, &type, 1) && type == HOME_TEST;
}

INLINE void write_routing(struct extension *into, u8 next, const struct address *home_address)
{
	*into = (struct extension){next, 2, {ROUTING_TYPE_2, 1}, *home_address};
}

INLINE void write_option(struct extension *into, u8 next, const struct address *home_address)
{
	/* The option begins at 8n + 6. */
	*into = (struct extension){
		next, 2, {PADN, 2, 0, 0, HOME_ADDRESS_OPTION, 16}, *home_address};
}

/* Between the hop-by-hop options and the rest.  The room is made, and this moves them to
 * its front. */
INLINE int write_behind(struct __sk_buff *skb, const struct frame *frame, u32 hop_by_hop,
			u32 extra, u8 first, const u32 start)
{
	u8 options[HOP_BY_HOP_MAX];
	u32 at = start + sizeof(frame->header);
	u64 length = hop_by_hop;
	__asm__ volatile("" : "+r"(length)); /* what is checked is what is used */
	if (length < 8 || length > HOP_BY_HOP_MAX ||
	    bpf_skb_load_bytes(skb, at + extra, options, length))
		return 0;
	options[0] = first;
	return bpf_skb_store_bytes(skb, at, options, length, 0) == 0 &&
	       bpf_skb_store_bytes(skb, at + length, frame->extensions, extra, 0) == 0;
}

/* `frame` has the addresses of the wire, the packet those of its ends. */
INLINE int send_directly(struct __sk_buff *skb, const struct settings *config,
			 struct frame *frame, int how, const struct content *content,
			 const struct address *source, const struct address *destination,
			 u32 path_mtu, u64 now, const u32 start)
{
	struct ipv6 *header = &frame->header;
	u8 next = content->next;
	u8 first = how & WITH_ROUTING ? ROUTING : DESTINATION_OPTIONS;
	u32 extra = sizeof(struct extension);
	if (how == (WITH_OPTION | WITH_ROUTING)) {
		extra = 2 * sizeof(struct extension);
		write_routing(&frame->extensions[0], DESTINATION_OPTIONS, destination);
		write_option(&frame->extensions[1], next, source);
	} else if (how == WITH_ROUTING) {
		write_routing(&frame->extensions[0], next, destination);
	} else {
		write_option(&frame->extensions[0], next, source);
	}
	u32 length = skb->len - start - sizeof(*header) + extra;
	struct step step;
	if (length > 0xFFFF)
		return drop(DROPPED_SIZE);
	header->payload_length = htons(length);
	u32 reason = find_step(skb, config, header, length_of(skb, content, start), extra,
			       path_mtu, now, &step);
	if (reason)
		return drop(reason);
	if (bpf_skb_adjust_room(skb, extra, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return drop(DROPPED_HEADER);
	if (content->hop_by_hop) {
		if (!write_behind(skb, frame, content->hop_by_hop, extra, first, start))
			return drop(DROPPED_HEADER);
		extra = 0;
	} else {
		header->next_header = first;
	}
	return send(skb, config, frame, &step, extra, DIRECT_OUT, now, start);
}

/* ---- which way ---- */

/* Further ways for a packet to go, beside those with an extension header of ours. */
enum { IN_TUNNEL = 4, NATIVELY = 8, TO_DAEMON = 16 };
enum { MOBILE = 32 }; /* with IN_TUNNEL: from a home address of ours */

INLINE int find_direct(void *map, const struct address *home_address,
		       const struct address *correspondent, const struct settings *config,
		       const struct address *local, const struct address *peer, u64 now,
		       struct address *care_of_address, u32 *path_mtu)
{
	struct pair pair = {*home_address, *correspondent};
	struct direct *found = bpf_map_lookup_elem(map, &pair);
	if (!found || !is_open(found, now))
		return 0;
	*care_of_address = found->care_of_address;
	*path_mtu = found->path_mtu;
	tell_again(config, found, local, peer, now);
	return 1;
}

/* How a packet goes; the addresses of `header` become those of the wire.  0: no way. */
INLINE int choose(struct __sk_buff *skb, const struct settings *config, struct ipv6 *header,
		  const struct content *content, struct choice *choice, u64 now)
{
	struct address source = header->source, destination = header->destination;
	struct address near, far;
	struct tunnel tunnel;
	u32 uses = config->uses;
	int how = 0, away = 0;
	int possible = goes_directly(skb, content);
	choice->path_mtu = 0;
	if (uses & USES_CORRESPONDENTS &&
	    find_direct(&correspondents, &source, &destination, config, &source,
			&destination, now, &near, &choice->path_mtu))
		how |= WITH_OPTION;
	if (uses & USES_MOBILE_NODES &&
	    find_direct(&mobile_nodes, &destination, &source, config, &source,
			&destination, now, &far, &choice->path_mtu))
		how |= WITH_ROUTING;
	int told = how;
	if (how && !possible) {
		count(INDIRECT);
		how = 0;
	}
	if (how & WITH_OPTION) {
		header->source = near;
		if (how & WITH_ROUTING)
			header->destination = far;
		return how;
	}
	if (uses & USES_REGISTRATIONS) {
		choice->traffic = find(&registrations, &source, &tunnel);
		if (choice->traffic && is_open(&tunnel, now)) {
			if (!told)
				tell_of_talk(config, &source, &destination, now);
			header->source = tunnel.care_of_address;
			header->destination = tunnel.home_agent;
			choice->path_mtu = tunnel.path_mtu;
			return IN_TUNNEL | MOBILE;
		}
		/* Without a binding there, what is from the home address goes through the
		 * home agent (11.3.1), also to who has a binding here. */
		if (choice->traffic) {
			away = 1;
			how = 0;
		}
	}
	if (how) {
		header->destination = far;
		return how;
	}
	if (uses & USES_BINDINGS)
		choice->traffic = find(&bindings, &destination, &tunnel);
	if (uses & USES_BINDINGS && choice->traffic && is_open(&tunnel, now)) {
		header->destination = tunnel.care_of_address;
		choice->path_mtu = tunnel.path_mtu;
		if (possible && equal(&source, &tunnel.home_agent))
			return WITH_ROUTING; /* 10.4.2 */
		if (uses & PROTECTS_HOME_TESTS && is_home_test(skb, content))
			return TO_DAEMON;
		header->source = tunnel.home_agent;
		return IN_TUNNEL;
	}
	return uses & USES_MOBILE_NODES && !away ? NATIVELY : 0;
}

/* To a mobile node that is bound to another address of ours, or no longer bound: the way
 * that the routes know without this device (docs/decisions/0012).  -2: they know none. */
INLINE int send_natively(struct __sk_buff *skb, const struct settings *config,
			 struct frame *frame, const u32 start)
{
	struct bpf_fib_lookup route = {};
	u32 length = skb->gso_size ? 0 : skb->len - start;
	long result = look_up(skb, config, &frame->header, length, &route);
	if ((result != BPF_FIB_LKUP_RET_SUCCESS && result != BPF_FIB_LKUP_RET_NO_NEIGH) ||
	    route.ifindex == config->device)
		return -2;
	if ((start == 0 && bpf_skb_change_head(skb, ETH_HLEN, 0)) || !write(skb, frame, 0))
		return drop(DROPPED_HEADER);
	count(NATIVE);
	return send_to_neighbor(route.ifindex, route.ipv6_dst,
				result == BPF_FIB_LKUP_RET_SUCCESS);
}

/* What processes listen to on this device the kernel tells the link.  A mobile node's
 * daemon tells its home agent instead: RFC 6275 11.3.4. */
INLINE int is_told_of_groups(struct __sk_buff *skb, const struct settings *config,
			     const struct address *destination, const struct content *content)
{
	return config->uses & USES_REGISTRATIONS &&
	       is_report(skb, destination, content->next, content->offset);
}

INLINE int leave(struct __sk_buff *skb, const u32 start)
{
	const u32 zero = 0;
	struct frame frame = {.type = htons(ETH_P_IPV6)};
	struct ipv6 *header = &frame.header;
	const struct settings *config = bpf_map_lookup_elem(&settings, &zero);
	if (skb->mark == MARK || skb->mark == MARK_LONG || !config)
		return TC_ACT_UNSPEC;
	if (skb->protocol != htons(ETH_P_IPV6) ||
	    bpf_skb_load_bytes(skb, start, header, sizeof(*header)))
		return drop(DROPPED_MALFORMED);
	struct address source = header->source, destination = header->destination;
	u64 now = boot_clock();
	struct content content;
	struct choice choice = {};
	if (!look_behind(skb, header->next_header, start, &content))
		return drop(DROPPED_MALFORMED);
	int told = is_told_of_groups(skb, config, &destination, &content), how = 0;
	if (!told && is_link_scope(&destination))
		return drop(DROPPED_LINK_SCOPE);
	if (!told)
		how = choose(skb, config, header, &content, &choice, now);
	if ((how & IN_TUNNEL && choice.traffic) || how & (WITH_OPTION | WITH_ROUTING)) {
		int verdict =
			how & IN_TUNNEL
				? encapsulate(skb, config, &frame, &content, &choice, now, start)
				: send_directly(skb, config, &frame, how, &content, &source,
						&destination, choice.path_mtu, now, start);
		if (verdict == TC_ACT_REDIRECT && how & (MOBILE | WITH_OPTION))
			tell_of_first(FIRST_OUT, &source, &header->source);
		return verdict;
	}
	if (how == NATIVELY) {
		int verdict = send_natively(skb, config, &frame, start);
		if (verdict != -2)
			return verdict;
	}
	if (how == TO_DAEMON) {
		if (!within_budget(BUDGET_OPEN, config->open_interval, config->open_burst,
				   now))
			return drop(DROPPED_SIGNALLING);
		count(SIGNALLING);
		skb->mark = MARK;
		return TC_ACT_UNSPEC;
	}
	if (!within_budget(BUDGET_UNMATCHED, config->unmatched_interval,
			   config->unmatched_burst, now))
		return drop(DROPPED_UNMATCHED);
	count(UNMATCHED);
	return TC_ACT_UNSPEC;
}

#endif
