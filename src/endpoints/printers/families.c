/* SPDX-License-Identifier: Apache-2.0 */
/* All printers by name. */
#include "endpoints/printers/printers.h"

const struct printer *printer_find(struct text name)
{
    static const struct printer *const families[] = {
        common_printers,  workload_printers, pod_printers,      node_printers,  service_printers,
        storage_printers, policy_printers,   resource_printers, event_printers, scaling_printers,
    };

    for (size_t i = 0; i < N_ELEMENTS(families); i++)
        for (const struct printer *p = families[i]; p->name; p++)
            if (text_is(name, p->name))
                return p;
    return NULL;
}
