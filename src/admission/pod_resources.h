/* SPDX-License-Identifier: Apache-2.0 */
/* pod_resources.h - what a pod asks for as a whole: objects of quantities by the name of their resource. */
#pragma once

#include "admission/plugin.h"

enum pod_resource_list { POD_REQUESTS, POD_LIMITS };
/* Sums over the containers; init containers run one after the other before them, but for those that stay;
 * what the pod itself says goes first. The overhead is left out. */
struct value pod_resources(struct arena *a, const struct value *spec, enum pod_resource_list which);
/* Adds each quantity of list to sum's, both objects; the list may be NULL. */
void quantities_add(struct arena *a, struct value *sum, const struct value *list);
/* A quantity as text: a number of a tree counts too. */
struct text quantity_text(struct arena *a, const struct value *v);
