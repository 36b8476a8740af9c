/* SPDX-License-Identifier: Apache-2.0 */
/* users.h - users that outlive the request they were made for, and the parts they are made of. Threads: any. */
#pragma once

#include "authn.h"

void user_copy(struct arena *a, const struct user_info *from, struct user_info *to); /* deep */
void user_add_group(struct arena *a, struct user_info *u, struct text group);
/* One more extra with one value; key and value are borrowed. */
void user_add_extra(struct arena *a, struct user_info *u, struct text key, struct text value);
/* The value of a header joins the extra of its key. */
void user_extend_extra(struct arena *a, struct user_info *u, struct text key, struct text value);
/* The key that the end of a header's name stands for: lower case, then %XX decoded; as it is when that is malformed.
 * Source: kubernetes/apiserver pkg/authentication/request/headerrequest, unescapeExtraKey. */
struct text user_extra_key(struct arena *a, struct text header_end);

/* system:serviceaccount:NAMESPACE:NAME, its groups (not yet system:authenticated) and its uid. */
void user_service_account(struct arena *a, struct text namespace, struct text name, struct text uid, struct user_info *ret);
