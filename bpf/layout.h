/* SPDX-License-Identifier: GPL-2.0 */
/* The maps: what user space and these programs share, and what stays pinned while the
 * daemon is away.  Numbers are in the byte order of the machine, addresses in that of the
 * network.  Whoever changes the size or meaning of anything here raises LAYOUT_VERSION,
 * here and in src/mip6/linux/layout.py: maps of another version are loaded beside.
 *
 *   map             kind            key                     value
 *   bindings        hash            home address            struct entry, End.HOME_AGENT
 *   registrations   hash            home address            struct entry, End.MOBILE_NODE
 *   correspondents  hash            struct pair             struct direct, End.MOBILE_NODE
 *   mobile_nodes    hash            struct pair             struct direct, End.CORRESPONDENT
 *   addresses       hash            address of this node    u32, 1: its signalling is the daemon's
 *   spis            hash            SPI as in the packet    u64 ns: its budget; ESP for the daemon
 *   settings        array, 1        0                       struct settings
 *   counters        per CPU array   enum counter            u64 packets
 *   budgets         per CPU array   enum budget             u64 ns: see within_budget()
 *   ways            per CPU array   from the outer header   struct way: see send(), nobody else
 *   clocks          per CPU array   0                       struct clock: see boot_clock()
 *   talks           LRU hash        struct talk             u64 ns: when the daemon was told last
 *   recent_talks    per CPU array   from the talk           struct recent_talk: the same, at hand
 *   firsts          array           enum way_of_first       care-of address told of last
 *   notices         ring buffer                             struct talk or struct first_packet,
 *                                                           for the daemon to read
 *
 * Hashes are allocated at once, so that an insert never fails for want of memory in the
 * middle of a burst; a replaced entry is then reused at the second update after it, which
 * is why a program copies what it looked up before it does anything else.  Talks, firsts
 * and notices are not pinned: they begin anew with the daemon that wants to know. */
#ifndef MIP6_LAYOUT_H
#define MIP6_LAYOUT_H

#define LAYOUT_VERSION 5

/* What carries one of these marks on its way out of the mobility device is for the
 * daemon: signalling; what does not fit its way, and pieces of what did not. */
#define MARK 0x6D697036
#define MARK_LONG 0x6D697037

struct address {
	u64 high, low;
};

struct tunnel {
	struct address care_of_address;
	struct address home_agent;
	struct address previous;	/* care-of address before this one ... */
	u64 expires;			/* ns of the boot clock */
	u64 previous_until;		/* ... accepted until then; 0: never */
	u32 flags;
	u32 path_mtu;			/* octets with all headers; 0: as the routes have it */
};
enum { INBOUND_ONLY = 1 };		/* packets are accepted, none are sent this way yet */

/* What went through a tunnel, in octets of the packets inside; written here.  Two CPUs at
 * the same one may lose some of it, and so may the daemon when it replaces an entry. */
struct traffic {
	u64 packets_in, octets_in;
	u64 packets_out, octets_out;
};

struct entry {
	struct tunnel tunnel;
	struct traffic traffic;
};

struct pair {
	struct address home_address, correspondent;
};

struct direct {
	struct address care_of_address;
	struct address previous;	/* these as in struct tunnel */
	u64 expires;
	u64 previous_until;
	u32 flags;
	u32 path_mtu;
	u64 told;			/* ns: when the daemon was told last; 0: never; written here */
};

struct talk {
	struct address local, peer;	/* an address of this node, and who it talks to */
};

/* At a mobile node: its first packet by this care-of address, in one direction. */
enum way_of_first { FIRST_IN, FIRST_OUT, FIRSTS };
struct first_packet {
	struct address home_address, care_of_address;
	u64 at;				/* ns of the boot clock */
	u64 way;			/* enum way_of_first */
};

/* What a node does at all: the rest is not even looked up. */
enum use {
	USES_BINDINGS = 1,		/* something is, or was, in the map of this name */
	USES_REGISTRATIONS = 2,
	USES_CORRESPONDENTS = 4,
	USES_MOBILE_NODES = 8,
	PROTECTS_HOME_TESTS = 16,	/* at the home agent: the daemon puts them into ESP */
	SENDS_MULTICAST = 32,		/* there, too: MLD in tunnels is for the daemon, and so is
					 * what is sent to groups through them */
};

struct settings {
	u32 device;			/* ifindex of the mobility device */
	u32 uses;
	u64 unmatched_interval;		/* ns between two such packets, for each CPU */
	u64 unmatched_burst;		/* ns worth of them that may come at once */
	u64 unverified_interval;
	u64 unverified_burst;
	u64 open_interval;		/* signalling without ESP */
	u64 open_burst;
	u64 notice_interval;
	u64 notice_burst;
	u64 esp_interval;		/* ns between two with one SPI, whatever the CPU */
	u64 esp_burst;
	u64 long_interval;		/* to be sent in fragments, or fragments that came */
	u64 long_burst;
	u64 told_interval;		/* ns between two notices of the same talk */
};

enum budget {
	BUDGET_UNMATCHED,
	BUDGET_UNVERIFIED,
	BUDGET_OPEN,
	BUDGET_NOTICE,
	BUDGET_LONG,
	BUDGETS,
};

/* Reasons, one counter each; `dropped_` begins what went no further. */
enum counter {
	TUNNEL_OUT,			/* encapsulated */
	TUNNEL_IN,			/* verified, outer header taken off */
	DIRECT_OUT,			/* with Home Address option or routing header, or both */
	DIRECT_IN,			/* verified, these taken off */
	INDIRECT,			/* by the home agent: of headers that these do not go with */
	NATIVE,				/* as if this device were not there: bound otherwise, or not */
	SIGNALLING,			/* whole to the daemon */
	UNVERIFIED,			/* Home Address option without a binding, to the daemon */
	UNMATCHED,			/* no tunnel to put it into, to the daemon */
	LONG_OUT,			/* to the daemon, which sends it in fragments */
	LONG_IN,			/* fragment of a tunnel's packet, to the daemon */
	MULTICAST,			/* a mobile node's to a group, out of the tunnel, to the daemon */
	NESTED_TUNNEL,			/* a tunnel in the tunnel; the inner one is the kernel's */
	FRAGMENT,			/* left to the kernel: a fragment that might be for us */
	TOO_MANY_HEADERS,		/* left to the kernel: more than HEADERS_MAX */
	UNKNOWN_TUNNEL,			/* left to the kernel: to us, of none of our home addresses */
	UNKNOWN_SPI,			/* left to the kernel: ESP behind an option, not by our keys */
	DROPPED_SIGNALLING,		/* without ESP, more than the budget allows */
	DROPPED_ESP,			/* for the daemon, more than the budget of its SPI allows */
	DROPPED_UNVERIFIED,		/* more than the budget allows */
	DROPPED_UNMATCHED,		/* more than the budget allows */
	DROPPED_LONG,			/* more than the budget allows */
	DROPPED_MULTICAST,		/* a mobile node's to a group: more than that, or not done here */
	DROPPED_EXPIRED,		/* came out of a tunnel whose lifetime is over */
	DROPPED_CARE_OF_ADDRESS,	/* outer address is not the care-of address */
	DROPPED_HOME_AGENT,		/* outer address is not the home agent's */
	DROPPED_ROUTING_HEADER,		/* type 2, to us, but not to a home address of ours */
	DROPPED_CONGESTION,		/* marked outside, not capable inside (RFC 6040) */
	DROPPED_ROUTE,			/* no way to the other end */
	DROPPED_FORWARDING,		/* forwarding is off on the mobility device */
	DROPPED_LOOP,			/* the way leads back into the mobility device */
	DROPPED_SIZE,			/* does not fit the link with its outer header */
	DROPPED_LINK_SCOPE,		/* must not leave this link */
	DROPPED_HEADER,			/* the kernel could not add or remove the header */
	DROPPED_MALFORMED,
	COUNTERS,
};

#endif
