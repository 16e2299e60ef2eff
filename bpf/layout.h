/* SPDX-License-Identifier: GPL-2.0 */
/* The maps: what user space and these programs share, and what stays pinned while the
 * daemon is away.  Numbers are in the byte order of the machine, addresses in that of the
 * network.  Whoever changes the size or meaning of anything here raises LAYOUT_VERSION,
 * here and in src/mip6/linux/layout.py: maps of another version are loaded beside.
 *
 *   map            kind            key                     value
 *   bindings       hash            home address            struct tunnel, End.HOME_AGENT
 *   registrations  hash            home address            struct tunnel, End.MOBILE_NODE
 *   addresses      hash            address of this node    u32, 1: its signalling is the daemon's
 *   spis           hash            SPI as in the packet    u64 ns: its budget; ESP for the daemon
 *   settings       array, 1        0                       struct settings
 *   counters       per CPU array   enum counter            u64 packets
 *   budgets        per CPU array   enum budget             u64 ns: see within_budget()
 *   ways           per CPU array   from the outer header   struct way: see send(), nobody else
 *
 * Hashes are allocated at once, so that an insert never fails for want of memory in the
 * middle of a burst; a replaced entry is then reused at the second update after it, which
 * is why a program copies what it looked up before it does anything else. */
#ifndef MIP6_LAYOUT_H
#define MIP6_LAYOUT_H

#define LAYOUT_VERSION 2

/* What carries this mark on its way out of the mobility device is for the daemon. */
#define MARK 0x6D697036

struct address {
	u64 high, low;
};

struct tunnel {
	struct address care_of_address;
	struct address home_agent;
	struct address previous;	/* care-of address before this one ... */
	u64 expires;			/* ns of the boot clock */
	u64 previous_until;		/* ... accepted until then; 0: never */
	u64 flags;
};
enum { INBOUND_ONLY = 1 };		/* packets come out of the tunnel, none go in yet */

struct settings {
	u32 device;			/* ifindex of the mobility device */
	u32 reserved;
	u64 unmatched_interval;		/* ns between two such packets, for each CPU */
	u64 unmatched_burst;		/* ns worth of them that may come at once */
	u64 unverified_interval;
	u64 unverified_burst;
	u64 open_interval;		/* signalling without ESP */
	u64 open_burst;
	u64 esp_interval;		/* ns between two with one SPI, whatever the CPU */
	u64 esp_burst;
};

enum budget { BUDGET_UNMATCHED, BUDGET_UNVERIFIED, BUDGET_OPEN, BUDGETS };

/* Reasons, one counter each; `dropped_` begins what went no further. */
enum counter {
	TUNNEL_OUT,			/* encapsulated */
	TUNNEL_IN,			/* verified, outer header taken off */
	SIGNALLING,			/* whole to the daemon */
	UNVERIFIED,			/* Home Address option or routing header, to the daemon */
	UNMATCHED,			/* no tunnel to put it into, to the daemon */
	FRAGMENT,			/* left to the kernel: a fragment that might be for us */
	TOO_MANY_HEADERS,		/* left to the kernel: more than HEADERS_MAX */
	UNKNOWN_TUNNEL,			/* left to the kernel: to us, of none of our home addresses */
	UNKNOWN_SPI,			/* left to the kernel: ESP behind an option, not by our keys */
	DROPPED_SIGNALLING,		/* without ESP, more than the budget allows */
	DROPPED_ESP,			/* for the daemon, more than the budget of its SPI allows */
	DROPPED_UNVERIFIED,		/* more than the budget allows */
	DROPPED_UNMATCHED,		/* more than the budget allows */
	DROPPED_EXPIRED,		/* came out of a tunnel whose lifetime is over */
	DROPPED_CARE_OF_ADDRESS,	/* outer address is not the care-of address */
	DROPPED_HOME_AGENT,		/* outer address is not the home agent's */
	DROPPED_CONGESTION,		/* marked outside, not capable inside (RFC 6040) */
	DROPPED_ROUTE,			/* no way to the other end of the tunnel */
	DROPPED_FORWARDING,		/* forwarding is off on the mobility device */
	DROPPED_LOOP,			/* the way leads back into the mobility device */
	DROPPED_SIZE,			/* does not fit the link with its outer header */
	DROPPED_LINK_SCOPE,		/* must not leave this link */
	DROPPED_HEADER,			/* the kernel could not add or remove the header */
	DROPPED_MALFORMED,
	COUNTERS,
};

#endif
