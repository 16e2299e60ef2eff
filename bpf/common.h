/* SPDX-License-Identifier: GPL-2.0 */
/* What both ways share: the maps, counting, budgets, packets and their headers. */
#ifndef MIP6_COMMON_H
#define MIP6_COMMON_H

#include "kernel.h"
#include "layout.h"

#define HEADERS_MAX 4 /* extension headers looked through; more is left to the kernel */
#define OPTIONS_MAX 8 /* options looked through for a Home Address option */
#define WAYS_BITS 8
#define TALKS_BITS 6

enum {
	HOP_BY_HOP = 0,
	TCP = 6,
	UDP = 17,
	IPV6 = 41,
	ROUTING = 43,
	FRAGMENT_HEADER = 44,
	ESP = 50,
	AUTHENTICATION = 51,
	ICMPV6 = 58,
	DESTINATION_OPTIONS = 60,
	MOBILITY = 135,
};
enum { PAD1 = 0, PADN = 1, HOME_ADDRESS_OPTION = 0xC9, ROUTING_TYPE_2 = 2 };
enum {
	ICMPV6_LISTENER_REPORT = 131,
	ICMPV6_LISTENER_DONE = 132,
	ICMPV6_LISTENER_REPORT_2 = 143,
};
enum { ICMPV6_ROUTER_SOLICITATION = 133, ICMPV6_REDIRECT = 137 };
enum { ICMPV6_AGENT_DISCOVERY = 144, ICMPV6_PREFIX_ADVERTISEMENT = 147 };
enum { HOME_TEST = 3 };
enum { ECN_NOT_CAPABLE = 0, ECN_1 = 1, ECN_0 = 2, ECN_CONGESTED = 3 };

struct ipv6 {
	u8 octets[4]; /* version, traffic class, flow label */
	u16 payload_length;
	u8 next_header, hop_limit;
	struct address source, destination;
};

/* A type 2 routing header, or destination options that are a Home Address option. */
struct extension {
	u8 next_header, length, octets[6];
	struct address address;
};

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

struct clock {
	u64 jiffies, now;
};

struct recent_talk {
	struct talk talk;
	u64 told;
};

struct map_definition SECTION("maps") bindings = {
	MAP_HASH, sizeof(struct address), sizeof(struct entry), 65536, 0,
};
struct map_definition SECTION("maps") registrations = {
	MAP_HASH, sizeof(struct address), sizeof(struct entry), 64, 0,
};
struct map_definition SECTION("maps") correspondents = {
	MAP_HASH, sizeof(struct pair), sizeof(struct direct), 1024, 0,
};
struct map_definition SECTION("maps") mobile_nodes = {
	MAP_HASH, sizeof(struct pair), sizeof(struct direct), 4096, 0,
};
struct map_definition SECTION("maps") addresses = {
	MAP_HASH, sizeof(struct address), sizeof(u32), 1024, 0,
};
struct map_definition SECTION("maps") spis = {
	MAP_HASH, sizeof(u32), sizeof(u64), 64, 0,
};
struct map_definition SECTION("maps") known = {
	MAP_HASH, sizeof(struct address), sizeof(u64), 64, 0,
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
struct map_definition SECTION("maps") clocks = {
	MAP_PERCPU_ARRAY, sizeof(u32), sizeof(struct clock), 1, 0,
};
struct map_definition SECTION("maps") recent_talks = {
	MAP_PERCPU_ARRAY, sizeof(u32), sizeof(struct recent_talk), 1 << TALKS_BITS, 0,
};
struct map_definition SECTION("maps") talks = {
	MAP_LRU_HASH, sizeof(struct talk), sizeof(u64), 4096, 0,
};
struct map_definition SECTION("maps") firsts = {
	MAP_ARRAY, sizeof(u32), sizeof(struct address), FIRSTS, 0,
};
struct map_definition SECTION("maps") notices = {
	MAP_RINGBUF, 0, 0, 65536, 0,
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

INLINE int is_link_scope(const struct address *destination)
{
	const u8 *octets = (const u8 *)destination;
	if (octets[0] == 0xFF) /* interface-local, link-local multicast */
		return (octets[1] & 0xF) <= 2;
	return octets[0] == 0xFE && (octets[1] & 0xC0) == 0x80;
}

INLINE int is_ours(const struct address *address)
{
	return bpf_map_lookup_elem(&addresses, address) != NULL;
}

/* What is counted of it; NULL: there is none. */
INLINE struct traffic *find(void *map, const struct address *home_address,
			    struct tunnel *tunnel)
{
	struct entry *found = bpf_map_lookup_elem(map, home_address);
	if (!found)
		return NULL;
	*tunnel = found->tunnel;
	return &found->traffic;
}

/* How many packets this one is when it has been cut up. */
INLINE u32 packets_of(const struct __sk_buff *skb)
{
	return skb->gso_segs ? skb->gso_segs : 1;
}

/* Nanoseconds of the boot clock, read once a jiffy: no lifetime is as short, and reading
 * it takes as long as looking up a binding. */
INLINE u64 boot_clock(void)
{
	const u32 zero = 0;
	u64 jiffies = bpf_jiffies64();
	struct clock *clock = bpf_map_lookup_elem(&clocks, &zero);
	if (!clock)
		return bpf_ktime_get_boot_ns();
	if (clock->jiffies != jiffies) {
		clock->now = bpf_ktime_get_boot_ns();
		clock->jiffies = jiffies;
	}
	return clock->now;
}

INLINE u32 slot_of(u64 mix, u32 bits)
{
	return mix * 0x9E3779B97F4A7C15 >> (64 - bits);
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

/* ---- what the daemon is told: who talks to whom ---- */

/* False: not this time, but with one of the next packets. */
INLINE int tell(const struct settings *config, const struct address *local,
		const struct address *peer, u64 now)
{
	struct talk talk = {*local, *peer};
	return within_budget(BUDGET_NOTICE, config->notice_interval, config->notice_burst,
			     now) &&
	       bpf_ringbuf_output(&notices, &talk, sizeof(talk), 0) == 0;
}

/* Of a pair that has a direct way, whose entry remembers when. */
INLINE void tell_again(const struct settings *config, struct direct *direct,
		       const struct address *local, const struct address *peer, u64 now)
{
	if (direct->told && now - direct->told < config->told_interval)
		return;
	if (tell(config, local, peer, now))
		direct->told = now;
}

/* Of any other pair. */
INLINE void tell_of_talk(const struct settings *config, const struct address *local,
			 const struct address *peer, u64 now)
{
	struct talk talk = {*local, *peer};
	u32 slot = slot_of(local->low ^ peer->high ^ peer->low, TALKS_BITS);
	struct recent_talk *recent = bpf_map_lookup_elem(&recent_talks, &slot);
	if (!recent || (recent->told && now - recent->told < config->told_interval &&
			equal(&recent->talk.peer, peer) && equal(&recent->talk.local, local)))
		return;
	if (*(const u8 *)peer == 0xFF)
		return;
	const u64 *told = bpf_map_lookup_elem(&talks, &talk);
	if (told && now - *told < config->told_interval) {
		recent->told = *told;
	} else {
		if (!tell(config, local, peer, now))
			return;
		bpf_map_update_elem(&talks, &talk, &now, 0);
		recent->told = now;
	}
	recent->talk = talk;
}

/* ---- what the daemon is told: how far a move has come ---- */

/* At a mobile node, of a packet that goes by its care-of address. */
INLINE void tell_of_first(u32 way, const struct address *home_address,
			  const struct address *care_of_address)
{
	struct address *told = bpf_map_lookup_elem(&firsts, &way);
	if (!told || equal(told, care_of_address))
		return;
	struct first_packet first = {*home_address, *care_of_address,
				     bpf_ktime_get_boot_ns(), way};
	*told = *care_of_address;
	bpf_ringbuf_output(&notices, &first, sizeof(first), 0);
}

/* ---- extension headers ---- */

/* What a chain of extension headers comes to. */
struct chain {
	u32 offset;	/* of what follows them */
	u32 option;	/* where the Home Address option begins; 0: there is none */
	u32 routing;	/* where the type 2 routing header begins; 0: there is none */
	u32 odd;	/* one of them twice, or in the wrong order: RFC 6275 6.3 */
	u8 next;	/* what follows; the number of an extension header: gave up */
};

/* Makes the verifier forget that it knows `value`: it need not follow each of the ways
 * that a chain can take to its end, of which there are thousands. */
INLINE u32 forget(u32 value, u32 unknown)
{
	value ^= unknown;
	__asm__ volatile("" : "+r"(value));
	return value ^ unknown;
}

/* Where it is; 0: nowhere. */
INLINE u32 find_option(struct __sk_buff *skb, u32 offset, u32 end)
{
	for (int i = 0; i < OPTIONS_MAX; i++) {
		u8 option[2];
		if (offset + 2 > end || bpf_skb_load_bytes(skb, offset, option, 2))
			return 0;
		if (option[0] == HOME_ADDRESS_OPTION)
			return offset;
		offset += option[0] == PAD1 ? 1 : 2 + option[1];
	}
	return 0;
}

INLINE int is_extension(u8 next)
{
	return next == HOP_BY_HOP || next == DESTINATION_OPTIONS || next == ROUTING;
}

/* False: the packet ends too early, or has a routing header that is none of ours. */
INLINE int follow(struct __sk_buff *skb, u32 offset, u8 next, struct chain *chain)
{
	u32 option = 0, routing = 0, odd = 0;
	for (int i = 0; i < HEADERS_MAX && is_extension(next); i++) {
		u8 header[8];
		if (bpf_skb_load_bytes(skb, offset, header, sizeof(header)))
			return 0;
		u32 end = offset + 8 + 8 * header[1];
		if (next == ROUTING) {
			if (header[2] != ROUTING_TYPE_2)
				return 0;
			odd |= option | routing;
			routing = offset;
		} else if (next == DESTINATION_OPTIONS) {
			u32 found = offset + 6; /* where we write it, behind four of padding */
			if (header[6] != HOME_ADDRESS_OPTION || header[2] != PADN ||
			    header[3] != 2)
				found = find_option(skb, offset + 2, end);
			if (found) {
				odd |= option;
				option = found;
			}
		}
		option = forget(option, header[0]);
		routing = forget(routing, header[0]);
		odd = forget(odd, header[0]);
		next = header[0];
		offset = end;
	}
	chain->next = next;
	chain->offset = offset;
	chain->option = option;
	chain->routing = routing;
	chain->odd = odd;
	return 1;
}

INLINE int is_icmp(struct __sk_buff *skb, u8 next, u32 offset, u8 first, u8 last)
{
	u8 type;
	return next == ICMPV6 && !bpf_skb_load_bytes(skb, offset, &type, 1) && type >= first &&
	       type <= last;
}

/* Whether it says what its sender listens to. */
INLINE int is_report(struct __sk_buff *skb, const struct address *destination, u8 next,
		     u32 offset)
{
	return *(const u8 *)destination == 0xFF &&
	       (is_icmp(skb, next, offset, ICMPV6_LISTENER_REPORT, ICMPV6_LISTENER_DONE) ||
		is_icmp(skb, next, offset, ICMPV6_LISTENER_REPORT_2, ICMPV6_LISTENER_REPORT_2));
}

/* ---- whose a packet is ---- */

/* Whether `address` is the care-of address of `entry`, or the one before it in its grace
 * period (docs/decisions/0003); for struct tunnel and struct direct alike. */
#define is_care_of(entry, address, now)                                                  \
	(equal(address, &(entry)->care_of_address) ||                                    \
	 ((entry)->previous_until > (now) && equal(address, &(entry)->previous)))

#define is_open(entry, now) ((entry)->expires > (now) && !((entry)->flags & INBOUND_ONLY))

#endif
