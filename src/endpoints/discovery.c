/* SPDX-License-Identifier: Apache-2.0 */
/* The paths below /api and /apis that name a group or a version and no resource. */
#include "endpoints/endpoints_internal.h"

enum flow serve_group_version(struct request *r, struct endpoints *e, struct text group, struct text version)
{
    return fail_no_resource(r);
}
