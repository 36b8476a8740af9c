/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.h - the documents' trees (openapi_paths.c) for the pages that keep and send them (openapi.c). */
#pragma once

#include "endpoints/endpoints_internal.h"

enum openapi_scope { OPENAPI_CORE, OPENAPI_GROUPS, OPENAPI_GROUP, OPENAPI_GROUP_VERSION, OPENAPI_VERSION };

/* The document of one path of /openapi/v3. */
struct openapi_part {
    enum openapi_scope scope;
    struct text group, version;
};
/* The parts that are served, in no order. */
size_t openapi_parts(struct arena *a, const struct endpoints *e, struct openapi_part **ret);
/* One document of some parts: one part for version 3, all of them for version 2. */
struct value openapi_document(struct arena *a, const struct endpoints *e, bool is_v3,
                              const struct openapi_part *parts, size_t n_parts);
/* A document as gnostic's message. */
struct text openapi_v2_message(struct arena *a, const struct value *document);
struct text openapi_v3_message(struct arena *a, const struct value *document);
