/* SPDX-License-Identifier: Apache-2.0 */
/* certificates.h - what a certificate signing request says of its subject. */
#pragma once

#include "admission/plugin.h"

struct csr_subject {
    struct text common_name; /* the last one */
    struct text_list organizations;
};
/* base64 of a PEM block, as the API has it. NULL, or what is wrong with it. */
const char *csr_subject_read(struct arena *a, struct text base64, struct csr_subject *ret);
