/* SPDX-License-Identifier: Apache-2.0 */
/* plugins.h - every plugin, for the table. */
#pragma once

#include "admission/plugin.h"

extern const struct admission_plugin plugin_default_toleration_seconds, plugin_namespace_auto_provision,
    plugin_namespace_exists, plugin_namespace_lifecycle, plugin_node_taint, plugin_priority,
    plugin_service_account, plugin_storage_in_use;
