/* SPDX-License-Identifier: GPL-2.0 */
/* The few definitions of the kernel's eBPF interface that mip6 needs, by name and
 * number as in <linux/bpf.h>: nothing here depends on a kernel version from 5.10. */
#ifndef MIP6_KERNEL_H
#define MIP6_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define NULL ((void *)0)
#define htons(value) __builtin_bswap16(value)
#define ntohs(value) __builtin_bswap16(value)

struct map_definition {
	u32 kind, key_size, value_size, entries_max, flags;
};
enum { MAP_HASH = 1, MAP_ARRAY = 2, MAP_PERCPU_ARRAY = 6, MAP_LRU_HASH = 9, MAP_RINGBUF = 27 };

struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol;
	u32 vlan_present, vlan_tci, vlan_proto, priority;
	u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid;
	u32 data, data_end, napi_id, family;
	u32 remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port;
	u32 data_meta;
	u64 flow_keys, tstamp;
	u32 wire_len, gso_segs;
	u64 sk;
	u32 gso_size;
};

struct bpf_fib_lookup {
	u8 family, l4_protocol;
	u16 sport, dport, tot_len;
	u32 ifindex;
	u32 flowinfo;
	u32 ipv6_src[4], ipv6_dst[4];
	u16 h_vlan_proto, h_vlan_tci;
	u8 smac[6], dmac[6];
};

struct bpf_redir_neigh {
	u32 nh_family;
	u32 ipv6_nh[4];
};

enum { TC_ACT_UNSPEC = -1, TC_ACT_SHOT = 2, TC_ACT_REDIRECT = 7 };
enum { PACKET_OTHERHOST = 3 };
enum { ETH_P_IPV6 = 0x86DD, ETH_HLEN = 14, AF_INET6 = 10, VLAN_VID_MASK = 0xFFF };
enum { BPF_ADJ_ROOM_NET = 0, BPF_ADJ_ROOM_MAC = 1 };
enum { BPF_F_ADJ_ROOM_FIXED_GSO = 1, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 = 4 };
enum { BPF_F_INGRESS = 1, BPF_F_RECOMPUTE_CSUM = 1 };
enum {
	BPF_FIB_LKUP_RET_SUCCESS = 0,
	BPF_FIB_LKUP_RET_FWD_DISABLED = 5,
	BPF_FIB_LKUP_RET_NO_NEIGH = 7,
	BPF_FIB_LKUP_RET_FRAG_NEEDED = 8,
};

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value,
					 u64 flags) = (void *)2;
static long (*const bpf_skb_store_bytes)(struct __sk_buff *skb, u32 offset, const void *from,
					 u32 length, u64 flags) = (void *)9;
static long (*const bpf_clone_redirect)(struct __sk_buff *skb, u32 ifindex, u64 flags) = (void *)13;
static long (*const bpf_redirect)(u32 ifindex, u64 flags) = (void *)23;
static long (*const bpf_skb_load_bytes)(const struct __sk_buff *skb, u32 offset, void *to,
					u32 length) = (void *)26;
static long (*const bpf_skb_change_head)(struct __sk_buff *skb, u32 length, u64 flags) =
	(void *)43;
static long (*const bpf_skb_adjust_room)(struct __sk_buff *skb, int difference, u32 mode,
					 u64 flags) = (void *)50;
static long (*const bpf_fib_lookup)(void *context, struct bpf_fib_lookup *parameters, int size,
				    u32 flags) = (void *)69;
static u64 (*const bpf_jiffies64)(void) = (void *)118;
static u64 (*const bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*const bpf_ringbuf_output)(void *ring, const void *octets, u64 length,
					u64 flags) = (void *)130;
static long (*const bpf_redirect_neigh)(u32 ifindex, struct bpf_redir_neigh *parameters,
					int size, u64 flags) = (void *)152;

#endif
