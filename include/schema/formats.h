/* formats.h - is this text a DNS label, a subdomain, a label value, an IP, ...: upstream's rules and
 * upstream's words. A message is the part after the field ("must be no more than 63 bytes"), in static
 * storage unless an arena is asked for. Threads: any. Source: kubernetes/apimachinery
 * pkg/api/validate/content (which counts "bytes"), pkg/util/validation/validation.go and ip.go (which count
 * "characters"), k8s.io/utils/net for the sloppy reading of addresses. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/text.h"

enum format {
    FORMAT_DNS1123_LABEL,
    FORMAT_DNS1123_SUBDOMAIN,
    FORMAT_DNS1123_SUBDOMAIN_UNDERSCORE, /* where labels may have underscores */
    FORMAT_DNS1123_SUBDOMAIN_CASELESS,   /* upper case is good too */
    FORMAT_DNS1123_WILDCARD,             /* *.example.com */
    FORMAT_DNS1035_LABEL,
    FORMAT_QUALIFIED_NAME, /* keys of labels and annotations: prefix/name */
    FORMAT_LABEL_VALUE,
    FORMAT_PATH_SEGMENT, /* names of RBAC objects and the like; empty is good, as upstream */
    FORMAT_PATH_SEGMENT_PREFIX,
    FORMAT_C_IDENTIFIER,
    FORMAT_PORT_NAME,
    FORMAT_PERCENT,
    FORMAT_HTTP_HEADER,
    FORMAT_ENV_VAR,         /* strict: what envFrom and old servers take */
    FORMAT_ENV_VAR_RELAXED, /* printable ASCII but '=' */
    FORMAT_CONFIG_MAP_KEY,
    FORMAT_DECIMAL_INTEGER,
    FORMAT_DNS1123_LABEL_CONTENT, /* the two in the words of validate/content, which count bytes: used by */
    FORMAT_DNS1123_SUBDOMAIN_CONTENT, /* declarative validation (k8s-short-name, k8s-long-name) */
    FORMAT_IP,                        /* of fields that are older than strict checking, as format_ip_legacy */
    FORMAT_CIDR,                      /* likewise */
    FORMAT_ABSOLUTE_PATH,
    FORMAT_CONDITION_REASON,
    FORMAT_HTTP_PATH, /* what may stand in the path of a URL */
    FORMAT_RELATIVE_PATH, /* and none that leads out */
    N_FORMATS,
};

#define FORMAT_ERRORS_MAX 5
/* All that is wrong with t, in upstream's order: each message becomes an error of its own. 0: t is good. */
size_t format_check(enum format f, struct text t, const char *ret[FORMAT_ERRORS_MAX]);

/* The first of them; NULL: t is good. */
const char *format_problem(enum format f, struct text t);
static inline const char *format_dns1123_label(struct text t)
{
    return format_problem(FORMAT_DNS1123_LABEL, t);
}
static inline const char *format_dns1123_subdomain(struct text t)
{
    return format_problem(FORMAT_DNS1123_SUBDOMAIN, t);
}
static inline const char *format_dns1035_label(struct text t)
{
    return format_problem(FORMAT_DNS1035_LABEL, t);
}
static inline const char *format_qualified_name(struct text t)
{
    return format_problem(FORMAT_QUALIFIED_NAME, t);
}
static inline const char *format_label_value(struct text t)
{
    return format_problem(FORMAT_LABEL_VALUE, t);
}
static inline const char *format_path_segment(struct text t)
{
    return format_problem(FORMAT_PATH_SEGMENT, t);
}

/* Upstream's words for what is wrong with a schedule of five fields or "@daily", "@every 1h"; NULL: nothing is.
 * Source: robfig/cron v3, parser.go. */
const char *format_cron(struct arena *a, struct text t);

/* --- addresses --------------------------------------------------------------------------------------- */

struct format_ip {
    bool is_v4;
    bool has_leading_zeros; /* only the sloppy reading takes them */
    bool is_v4_in_v6;       /* written ::ffff:a.b.c.d; is_v4 then, as Go has it */
    uint8_t bytes[16];      /* 4 of them when is_v4 */
};
/* As Go's ParseIP, leading zeros in IPv4 allowed (the sloppy reading). */
bool format_ip_read(struct text t, struct format_ip *ret);
/* addr/prefix; *ret_address as written, *ret_network with the bits past the prefix cleared. */
bool format_cidr_read(struct text t, struct format_ip *ret_address, struct format_ip *ret_network,
                      unsigned *ret_prefix);
/* As Go prints it (RFC 5952), e.g. "fe80::1". */
struct text format_ip_text(struct arena *a, const struct format_ip *ip);
void format_ip_add(struct buffer *b, const struct format_ip *ip); /* the same, behind what is in b */

/* Fields that are older than strict checking; upstream is strict by default (gate StrictIPCIDRValidation). */
const char *format_ip_legacy(struct text t, bool is_strict);
const char *format_cidr_legacy(struct text t, bool is_strict);
/* Newer fields: strict, and only the canonical text is good. */
const char *format_ip_canonical(struct arena *a, struct text t);
const char *format_cidr_canonical(struct arena *a, struct text t);
