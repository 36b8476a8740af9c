/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses and CIDRs. One lenient reader (that of Go before it refused leading zeros, which upstream
 * keeps for old fields) notes what a strict one would refuse; the checks then word it. */
#include "schema/formats.h"

#include "base/buffer.h"
#include "base/macros.h"

#define OCTET_LIMIT 0xFFFFFF /* a number never grows past this while it is read */

/* Digits at the start of t: how many, with their value; 0 when there are none or they are too large. */
static size_t number_at(struct text t, int base, unsigned *ret)
{
    size_t i = 0;
    unsigned n = 0;
    for (; i < t.n && text_hex_digit(t.p[i]) >= 0 && text_hex_digit(t.p[i]) < base; i++) {
        n = n * (unsigned)base + (unsigned)text_hex_digit(t.p[i]);
        if (n >= OCTET_LIMIT)
            return 0;
    }
    *ret = n;
    return i;
}

static bool read_v4(struct text t, uint8_t out[4], bool *has_leading_zeros)
{
    for (int i = 0; i < 4; i++) {
        unsigned n;
        if (i > 0) {
            if (!t.n || t.p[0] != '.')
                return false;
            t = text_from(t, 1);
        }
        size_t len = number_at(t, 10, &n);
        if (!len || n > 255)
            return false;
        if (len > 1 && t.p[0] == '0')
            *has_leading_zeros = true;
        out[i] = (uint8_t)n;
        t = text_from(t, len);
    }
    return t.n == 0;
}

static bool read_v6(struct text t, struct format_ip *ip)
{
    int ellipsis = -1, at = 0;
    if (text_starts(t, TEXT("::"))) {
        ellipsis = 0;
        t = text_from(t, 2);
        if (!t.n)
            return true;
    }
    while (at < 16) {
        unsigned n;
        size_t len = number_at(t, 16, &n);
        if (!len || n > 0xFFFF)
            return false;
        if (len < t.n && t.p[len] == '.') {
            if ((ellipsis < 0 && at != 12) || at + 4 > 16 ||
                !read_v4(t, ip->bytes + at, &ip->has_leading_zeros))
                return false;
            at += 4;
            t = TEXT("");
            break;
        }
        if (len > 4)
            ip->has_leading_zeros = true;
        ip->bytes[at++] = (uint8_t)(n >> 8);
        ip->bytes[at++] = (uint8_t)n;
        t = text_from(t, len);
        if (!t.n)
            break;
        if (t.p[0] != ':' || t.n == 1)
            return false;
        t = text_from(t, 1);
        if (t.p[0] == ':') {
            if (ellipsis >= 0)
                return false;
            ellipsis = at;
            t = text_from(t, 1);
            if (!t.n)
                break;
        }
    }
    if (t.n || (at == 16) == (ellipsis >= 0))
        return false;
    if (ellipsis >= 0) {
        memmove(ip->bytes + 16 - (at - ellipsis), ip->bytes + ellipsis, (size_t)(at - ellipsis));
        memset(ip->bytes + ellipsis, 0, (size_t)(16 - at));
    }
    return true;
}

/* A mapped address counts as IPv4 from here on. */
static void unmap(struct format_ip *ip)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    if (memcmp(ip->bytes, mapped, sizeof(mapped)) != 0)
        return;
    ip->is_v4 = ip->is_v4_in_v6 = true;
    memmove(ip->bytes, ip->bytes + 12, 4);
    memset(ip->bytes + 4, 0, 12);
}

static bool read_ip(struct text t, struct format_ip *ip)
{
    *ip = (struct format_ip){0};
    if (text_find(t, ':') < 0) {
        ip->is_v4 = true;
        return read_v4(t, ip->bytes, &ip->has_leading_zeros);
    }
    return read_v6(t, ip);
}

bool format_ip_read(struct text t, struct format_ip *ret)
{
    struct format_ip ip;
    if (!read_ip(t, &ip))
        return false;
    if (!ip.is_v4)
        unmap(&ip);
    *ret = ip;
    return true;
}

static void mask(uint8_t *bytes, unsigned n_bytes, unsigned prefix)
{
    for (unsigned i = 0; i < n_bytes; i++) {
        unsigned bits = prefix > 8 * i ? prefix - 8 * i : 0;
        if (bits < 8)
            bytes[i] &= (uint8_t)(0xFF00u >> bits);
    }
}

bool format_cidr_read(struct text t, struct format_ip *ret_address, struct format_ip *ret_network,
                      unsigned *ret_prefix)
{
    struct format_ip ip, network;
    unsigned prefix;
    ptrdiff_t slash = text_find(t, '/');
    if (slash < 0 || !read_ip(text_first(t, (size_t)slash), &ip))
        return false;
    struct text length = text_from(t, (size_t)slash + 1);
    unsigned n_bytes = ip.is_v4 ? 4 : 16;
    if (!length.n || number_at(length, 10, &prefix) != length.n || prefix > 8 * n_bytes)
        return false;
    if (length.n > 1 && length.p[0] == '0')
        ip.has_leading_zeros = true;
    network = ip;
    mask(network.bytes, n_bytes, prefix);
    if (!ip.is_v4) {
        unmap(&ip);
        unmap(&network);
    }
    *ret_prefix = network.is_v4_in_v6 ? prefix - 96 : prefix;
    *ret_address = ip;
    *ret_network = network;
    return true;
}

void format_ip_add(struct buffer *b, const struct format_ip *ip)
{
    const uint8_t *p = ip->bytes;
    if (ip->is_v4) {
        buffer_addf(b, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
        return;
    }
    int best = -1, best_n = 1; /* the longest run of two or more zero groups */
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && !p[2 * (i + n)] && !p[2 * (i + n) + 1])
            n++;
        if (n > best_n) {
            best = i;
            best_n = n;
        }
        i += n;
    }
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            buffer_add_str(b, "::");
            i += best_n - 1;
            continue;
        }
        if (i > 0 && (best < 0 || i != best + best_n))
            buffer_add_char(b, ':');
        buffer_addf(b, "%x", (unsigned)(p[2 * i] << 8 | p[2 * i + 1]));
    }
}

struct text format_ip_text(struct arena *a, const struct format_ip *ip)
{
    struct buffer b = BUFFER_IN(a);
    format_ip_add(&b, ip);
    return buffer_text(&b);
}

/* --- checks ------------------------------------------------------------------------------------------ */

const char *format_ip_legacy(struct text t, bool is_strict)
{
    struct format_ip ip;
    if (!format_ip_read(t, &ip))
        return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    if (!is_strict)
        return NULL;
    if (ip.has_leading_zeros)
        return "must not have leading 0s";
    return ip.is_v4_in_v6 ? "must not be an IPv4-mapped IPv6 address" : NULL;
}

const char *format_cidr_legacy(struct text t, bool is_strict)
{
    struct format_ip ip, network;
    unsigned prefix;
    if (!format_cidr_read(t, &ip, &network, &prefix))
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    if (!is_strict)
        return NULL;
    if (ip.has_leading_zeros)
        return "must not have leading 0s in IP or prefix length";
    if (ip.is_v4_in_v6)
        return "must not have an IPv4-mapped IPv6 address";
    return memcmp(ip.bytes, network.bytes, 16) ? "must not have bits set beyond the prefix length" : NULL;
}

static const char *unless_same(struct arena *a, struct text t, struct text canonical)
{
    return text_eq(t, canonical)
               ? NULL
               : arena_printf(a, "must be in canonical form (\"%.*s\")", TEXT_ARG(canonical));
}

const char *format_ip_canonical(struct arena *a, struct text t)
{
    struct format_ip ip;
    const char *problem = format_ip_legacy(t, true);
    if (problem || !format_ip_read(t, &ip))
        return problem;
    return unless_same(a, t, format_ip_text(a, &ip));
}

const char *format_cidr_canonical(struct arena *a, struct text t)
{
    struct format_ip ip, network;
    unsigned prefix;
    const char *problem = format_cidr_legacy(t, true);
    if (problem || !format_cidr_read(t, &ip, &network, &prefix))
        return problem;
    struct text address = format_ip_text(a, &network);
    return unless_same(a, t, arena_textf(a, "%.*s/%u", TEXT_ARG(address), prefix));
}
