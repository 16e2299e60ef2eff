/* SPDX-License-Identifier: GPL-2.0 */
/* Into a link: out of what Mobile IPv6 put around a packet, or whole to the daemon. */
#ifndef MIP6_IN_H
#define MIP6_IN_H

#include "common.h"

/* What nobody knows and everybody skips: RFC 4727. */
enum { OPTION_EXPERIMENT = 0x1E, ROUTING_EXPERIMENT = 253 };

/* Whether a packet with this next header can be anything to us. */
INLINE int is_of_interest(u8 next)
{
	return next == IPV6 || next == MOBILITY || next == ICMPV6 || next == FRAGMENT_HEADER ||
	       next == ESP || is_extension(next);
}

INLINE int is_signalling(struct __sk_buff *skb, const struct chain *chain)
{
	return chain->next == MOBILITY ||
	       is_icmp(skb, chain->next, chain->offset, ICMPV6_AGENT_DISCOVERY,
		       ICMPV6_PREFIX_ADVERTISEMENT);
}

/* What a mobile node says of groups that it listens to: RFC 6275 10.4.3. */
INLINE int is_from_listener(struct __sk_buff *skb, const struct settings *config,
			    const struct address *destination, const struct chain *chain)
{
	return config->uses & SENDS_MULTICAST &&
	       is_report(skb, destination, chain->next, chain->offset);
}

/* Whole, and from there to the daemon. */
INLINE int hand_to_daemon(struct __sk_buff *skb, const struct settings *config, u32 reason)
{
	count(reason);
	skb->mark = MARK;
	return bpf_redirect(config->device, 0);
}

/* A piece of a packet in a tunnel that ends here.  In which one shows only when it is
 * whole again; what turns out to be somebody else's the daemon gives back. */
INLINE int is_tunnel_fragment(struct __sk_buff *skb, const struct settings *config,
			      const struct ipv6 *header, const u32 start)
{
	u8 next;
	return header->next_header == FRAGMENT_HEADER &&
	       config->uses & (USES_BINDINGS | USES_REGISTRATIONS) &&
	       !bpf_skb_load_bytes(skb, start + sizeof(*header), &next, 1) && next == IPV6;
}

INLINE int hand_over_fragment(struct __sk_buff *skb, const struct settings *config)
{
	if (!within_budget(BUDGET_LONG, config->long_interval, config->long_burst,
			   boot_clock()))
		return drop(DROPPED_LONG);
	count(LONG_IN);
	skb->mark = MARK_LONG;
	return bpf_redirect(config->device, 0);
}

/* Of whom the packet says that it is from, by its Home Address option or its source, if
 * the daemon knows that one; NULL: of all the others. */
INLINE u64 *budget_of_known(struct __sk_buff *skb, const struct ipv6 *header,
			    const struct chain *chain)
{
	struct address from = header->source;
	if (chain->option &&
	    bpf_skb_load_bytes(skb, chain->option + 2, &from, sizeof(from)))
		return NULL;
	return bpf_map_lookup_elem(&known, &from);
}

/* Anybody can send it, so that it has a budget where ESP is what counts; and where
 * nothing comes in ESP, each whom we know has one: who floods in the name of one takes it
 * from that one, not from all. */
INLINE int hand_over_signalling(struct __sk_buff *skb, const struct settings *config,
				const struct ipv6 *header, const struct chain *chain)
{
	u64 now = boot_clock();
	u64 *full = budget_of_known(skb, header, chain);
	if (full ? !take(full, config->esp_interval, config->esp_burst, now)
		 : !within_budget(BUDGET_OPEN, config->open_interval, config->open_burst, now))
		return drop(DROPPED_SIGNALLING);
	return hand_to_daemon(skb, config, SIGNALLING);
}

INLINE int hand_over_unverified(struct __sk_buff *skb, const struct settings *config, u64 now)
{
	if (!within_budget(BUDGET_UNVERIFIED, config->unverified_interval,
			   config->unverified_burst, now))
		return drop(DROPPED_UNVERIFIED);
	return hand_to_daemon(skb, config, UNVERIFIED);
}

/* To us, through a tunnel that we do not know: it may be somebody else's, and goes on; or
 * it is of a mobile node whose binding was lost, which is to be told (RFC 6275 9.3.3). */
INLINE void copy_to_daemon(struct __sk_buff *skb, const struct settings *config, u64 now)
{
	count(UNKNOWN_TUNNEL);
	if (!within_budget(BUDGET_UNVERIFIED, config->unverified_interval,
			   config->unverified_burst, now))
		return;
	u32 mark = skb->mark;
	skb->mark = MARK;
	bpf_clone_redirect(skb, config->device, 0);
	skb->mark = mark;
}

INLINE u64 *budget_of_spi(struct __sk_buff *skb, const struct chain *chain)
{
	u32 spi;
	if (bpf_skb_load_bytes(skb, chain->offset, &spi, sizeof(spi)))
		return NULL;
	return bpf_map_lookup_elem(&spis, &spi);
}

/* ESP to one of our addresses.  Each SPI has its own budget, of all CPUs: who floods with
 * an SPI that was seen on the way takes it from one mobile node, not from all. */
INLINE int hand_over_esp(struct __sk_buff *skb, const struct settings *config, u64 *full)
{
	if (!take(full, config->esp_interval, config->esp_burst, boot_clock()))
		return drop(DROPPED_ESP);
	return hand_to_daemon(skb, config, SIGNALLING);
}

/* ---- out of a routing header, and a Home Address option ---- */

/* RFC 6275 9.3.1: whether this home address is bound to this care-of address, for packets
 * to this address of ours. */
INLINE int is_bound(const struct settings *config, const struct address *home_address,
		    const struct address *own, const struct address *care_of_address,
		    u64 now)
{
	struct pair pair = {*home_address, *own};
	struct tunnel tunnel;
	struct direct *direct = NULL;
	if (config->uses & USES_MOBILE_NODES)
		direct = bpf_map_lookup_elem(&mobile_nodes, &pair);
	if (direct && direct->expires > now && is_care_of(direct, care_of_address, now)) {
		tell_again(config, direct, own, home_address, now);
		return 1;
	}
	/* A mobile node's home agent is its correspondent as well. */
	return config->uses & USES_BINDINGS && find(&bindings, home_address, &tunnel) &&
	       equal(own, &tunnel.home_agent) && tunnel.expires > now &&
	       is_care_of(&tunnel, care_of_address, now);
}

/* RFC 6275 11.3.3: whether this is a home address of ours, and the other our care-of
 * address, for this peer or for all. */
INLINE int is_at(const struct settings *config, const struct address *home_address,
		 const struct address *care_of_address, const struct address *peer, u64 now)
{
	struct pair pair = {*home_address, *peer};
	struct tunnel tunnel;
	struct direct *direct = NULL;
	if (config->uses & USES_CORRESPONDENTS)
		direct = bpf_map_lookup_elem(&correspondents, &pair);
	if (direct && direct->expires > now && is_care_of(direct, care_of_address, now)) {
		tell_again(config, direct, home_address, peer, now);
		if (equal(care_of_address, &direct->care_of_address))
			tell_of_first(FIRST_IN, home_address, care_of_address);
		return 1;
	}
	if (!(config->uses & USES_REGISTRATIONS) ||
	    !find(&registrations, home_address, &tunnel) || tunnel.expires <= now ||
	    !is_care_of(&tunnel, care_of_address, now))
		return 0;
	tell_of_talk(config, home_address, peer, now);
	if (equal(care_of_address, &tunnel.care_of_address))
		tell_of_first(FIRST_IN, home_address, care_of_address);
	return 1;
}

/* What a packet is without a routing header and a Home Address option. */
struct inside {
	struct address source, destination;
	u32 excess;	/* octets of these two right behind the IPv6 header; 0: elsewhere */
	u8 next;	/* what follows them */
	u8 misrouted;	/* the routing header is not as RFC 6275 6.4.1 wants it */
	u8 odd;		/* more, or something else, than a mobile node may write */
};

/* `front`: where the header ends.  False: the packet ends too early. */
INLINE int look_inside(struct __sk_buff *skb, const struct ipv6 *header,
		       const struct chain *chain, const u32 front, struct inside *inside)
{
	struct extension extension;
	u32 at = front;
	inside->source = header->source;
	inside->destination = header->destination;
	inside->next = header->next_header;
	inside->misrouted = 0;
	inside->odd = chain->odd || is_extension(chain->next) || chain->next == AUTHENTICATION;
	if (chain->routing) {
		if (bpf_skb_load_bytes(skb, chain->routing, &extension, sizeof(extension)))
			return 0;
		inside->misrouted = extension.length != 2 || extension.octets[1] != 1;
		inside->destination = extension.address;
		inside->next = extension.next_header;
		at = chain->routing == at ? at + sizeof(extension) : 0;
	}
	if (chain->option) {
		/* With what is before it, in as much padding as it needs. */
		if (bpf_skb_load_bytes(skb, chain->option - 6, &extension, sizeof(extension)))
			return 0;
		inside->odd |= extension.octets[5] != 16;
		inside->source = extension.address;
		inside->next = extension.next_header;
		at = at && chain->option == at + 6 && extension.length == 2
			 ? at + sizeof(extension)
			 : 0;
	}
	inside->excess = at ? at - front : 0;
	return 1;
}

/* Makes it so.  What is not right behind the IPv6 header becomes what everybody skips.
 * `shift`: octets taken off before the header since it was followed. */
INLINE int strip(struct __sk_buff *skb, struct ipv6 *header, const struct chain *chain,
		 const struct inside *inside, u32 shift, const u32 start)
{
	const u16 skipped = htons(ROUTING_EXPERIMENT << 8);
	const u8 nothing = OPTION_EXPERIMENT;
	u32 length = ntohs(header->payload_length);
	header->source = inside->source;
	header->destination = inside->destination;
	if (inside->excess && length >= inside->excess) {
		if (bpf_skb_adjust_room(skb, -(int)inside->excess, BPF_ADJ_ROOM_NET,
					BPF_F_ADJ_ROOM_FIXED_GSO))
			return 0;
		header->payload_length = htons(length - inside->excess);
		header->next_header = inside->next;
	} else {
		if (chain->routing &&
		    bpf_skb_store_bytes(skb, chain->routing - shift + 2, &skipped, 2,
					BPF_F_RECOMPUTE_CSUM))
			return 0;
		if (chain->option &&
		    bpf_skb_store_bytes(skb, chain->option - shift, &nothing, 1,
					BPF_F_RECOMPUTE_CSUM))
			return 0;
	}
	return bpf_skb_store_bytes(skb, start, header, sizeof(*header),
				   BPF_F_RECOMPUTE_CSUM) == 0;
}

INLINE int arrive_directly(struct __sk_buff *skb, const struct settings *config,
			   struct ipv6 *header, const struct chain *chain, const u32 start)
{
	struct address from = header->source, to = header->destination;
	struct inside inside;
	if (!look_inside(skb, header, chain, start + sizeof(*header), &inside))
		return TC_ACT_UNSPEC;
	u64 now = boot_clock();
	if (chain->routing &&
	    (inside.misrouted ||
	     !is_at(config, &inside.destination, &to, &inside.source, now)))
		return is_ours(&to) ? drop(DROPPED_ROUTING_HEADER) : TC_ACT_UNSPEC;
	if (inside.odd || (chain->option && !is_bound(config, &inside.source,
						      &inside.destination, &from, now))) {
		if (!is_ours(&to))
			return TC_ACT_UNSPEC;
		if (chain->next != ESP)
			return hand_over_unverified(skb, config, now);
		count(UNKNOWN_SPI);
		return TC_ACT_UNSPEC;
	}
	if (!strip(skb, header, chain, &inside, 0, start))
		return drop(DROPPED_HEADER);
	count(DIRECT_IN);
	/* To a correspondent it came as everything comes from there, for its firewall too.
	 * To a home address, and from one that is served here, by the mobility device. */
	if (!chain->routing && !(config->uses & USES_BINDINGS &&
				 bpf_map_lookup_elem(&bindings, &inside.source)))
		return TC_ACT_UNSPEC;
	return bpf_redirect(config->device, BPF_F_INGRESS);
}

/* ---- out of the tunnel ---- */

INLINE u8 congestion(const struct ipv6 *header)
{
	return header->octets[1] >> 4 & 3;
}

/* RFC 6040 4.2, normal mode.  True: the combination is to be dropped. */
INLINE int merge_congestion(struct __sk_buff *skb, const struct ipv6 *outer,
			    struct ipv6 *inner, u32 offset)
{
	u8 out = congestion(outer), in = congestion(inner);
	if (in == ECN_NOT_CAPABLE)
		return out == ECN_CONGESTED;
	if (out != ECN_CONGESTED && !(in == ECN_0 && out == ECN_1))
		return 0;
	inner->octets[1] = (inner->octets[1] & 0xCF) | out << 4;
	bpf_skb_store_bytes(skb, offset + 1, &inner->octets[1], 1, BPF_F_RECOMPUTE_CSUM);
	return 0;
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

INLINE void count_in(struct traffic *traffic, u32 packets, u32 octets)
{
	traffic->packets_in += packets;
	traffic->octets_in += octets;
}

/* From a mobile node's home address to a group, which it may be on the home link as if it
 * were there: by the daemon, where it does so at all. */
INLINE int hand_over_to_group(struct __sk_buff *skb, const struct settings *config,
			      const struct address *group, struct traffic *traffic, u32 octets,
			      u64 now)
{
	if (is_link_scope(group))
		return drop(DROPPED_LINK_SCOPE);
	if (!(config->uses & SENDS_MULTICAST) ||
	    !within_budget(BUDGET_LONG, config->long_interval, config->long_burst, now))
		return drop(DROPPED_MULTICAST);
	count_in(traffic, packets_of(skb), octets);
	count(MULTICAST);
	skb->mark = MARK_LONG;
	return bpf_redirect(config->device, 0);
}

INLINE int decapsulate(struct __sk_buff *skb, const struct settings *config,
		       const struct ipv6 *outer, const struct chain *chain, const u32 start)
{
	struct ipv6 inner;
	struct tunnel tunnel;
	struct chain within = {};
	struct inside inside;
	struct traffic *traffic = NULL, *found;
	if (bpf_skb_load_bytes(skb, chain->offset, &inner, sizeof(inner)) ||
	    inner.octets[0] >> 4 != 6)
		return TC_ACT_UNSPEC;
	struct address source = inner.source, destination = inner.destination;
	struct address from = outer->source, to = outer->destination;
	u64 now = boot_clock();
	int signalling = 0, ends_here = 0, mobile = 0, listener = 0, to_group = 0;
	if (inner.next_header != IPV6 && is_of_interest(inner.next_header) &&
	    follow(skb, chain->offset + sizeof(inner), inner.next_header, &within)) {
		signalling = is_signalling(skb, &within);
		listener = is_from_listener(skb, config, &destination, &within);
		ends_here = (signalling || within.option || within.routing) && is_ours(&to) &&
			    is_ours(&destination);
	}
	if ((signalling && ends_here) || (listener && is_ours(&to)))
		return hand_over_signalling(skb, config, &inner, &within);
	u32 reason = COUNTERS; /* no such home address: not ours */
	if (config->uses & USES_REGISTRATIONS) {
		found = find(&registrations, &destination, &tunnel);
		if (found) {
			traffic = found;
			reason = refused(&tunnel, &to, &from, now);
			/* A group that processes here listen to is nobody's address. */
			mobile = !reason && *(const u8 *)&destination != 0xFF;
		}
	}
	if (reason && config->uses & USES_BINDINGS) {
		found = find(&bindings, &source, &tunnel);
		if (found) {
			traffic = found;
			reason = refused(&tunnel, &from, &to, now);
			to_group = !reason && *(const u8 *)&destination == 0xFF;
		}
	}
	if (reason == COUNTERS) {
		if (is_ours(&to))
			copy_to_daemon(skb, config, now);
		return TC_ACT_UNSPEC;
	}
	if (reason) /* somebody else's tunnel may pass through here */
		return is_ours(&to) ? drop(reason) : TC_ACT_UNSPEC;
	if (ends_here && within.routing)
		return drop(DROPPED_ROUTING_HEADER);
	/* From a mobile node that knows nothing of where this one is. */
	if (ends_here &&
	    (!look_inside(skb, &inner, &within, chain->offset + sizeof(inner), &inside) ||
	     inside.odd || !is_bound(config, &inside.source, &destination, &source, now)))
		return hand_over_unverified(skb, config, now);
	if (merge_congestion(skb, outer, &inner, chain->offset))
		return drop(DROPPED_CONGESTION);
	int excess = chain->offset - start;
	u32 octets = skb->len - chain->offset;
	if (to_group && traffic)
		return hand_over_to_group(skb, config, &destination, traffic, octets, now);
	if (bpf_skb_adjust_room(skb, -excess, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return drop(DROPPED_HEADER);
	if (ends_here) {
		if (!strip(skb, &inner, &within, &inside, excess, start))
			return drop(DROPPED_HEADER);
	} else if (mobile) {
		tell_of_talk(config, &destination, &source, now);
	}
	if (traffic)
		count_in(traffic, packets_of(skb), octets);
	if (inner.next_header == IPV6)
		count(NESTED_TUNNEL);
	count(TUNNEL_IN);
	if (mobile && equal(&to, &tunnel.care_of_address))
		tell_of_first(FIRST_IN, &destination, &to);
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
	if (chain.next == IPV6 && !chain.option && !chain.routing)
		return decapsulate(skb, config, &header, &chain, start);
	struct address destination = header.destination;
	if (is_signalling(skb, &chain))
		return is_ours(&destination)
			       ? hand_over_signalling(skb, config, &header, &chain)
			       : TC_ACT_UNSPEC;
	if (chain.next == ESP && is_ours(&destination)) {
		u64 *full = budget_of_spi(skb, &chain);
		if (full)
			return hand_over_esp(skb, config, full);
	}
	if (chain.option || chain.routing)
		return arrive_directly(skb, config, &header, &chain, start);
	if ((chain.next != FRAGMENT_HEADER && !is_extension(chain.next)) || !is_ours(&destination))
		return TC_ACT_UNSPEC;
	if (is_tunnel_fragment(skb, config, &header, start))
		return hand_over_fragment(skb, config);
	count(chain.next == FRAGMENT_HEADER ? FRAGMENT : TOO_MANY_HEADERS);
	return TC_ACT_UNSPEC;
}

#endif
