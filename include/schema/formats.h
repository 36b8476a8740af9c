/* formats.h - is this text a DNS label, a subdomain, a label value, an IP, ...: upstream's rules and upstream's words.
 * Each function gives NULL for a good text, else what is wrong with it (static storage), as the part of the message after
 * the field. Source: kubernetes/apimachinery pkg/util/validation/validation.go. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

const char *format_dns1123_label(struct text t);
const char *format_dns1123_subdomain(struct text t);
const char *format_dns1035_label(struct text t);
const char *format_qualified_name(struct text t); /* label and annotation keys: prefix/name */
const char *format_label_value(struct text t);
const char *format_path_segment(struct text t); /* names of RBAC objects and the like */
