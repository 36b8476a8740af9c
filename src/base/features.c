/* SPDX-License-Identifier: Apache-2.0 */
/* One bool for each gate that is asked somewhere, with upstream's default. */
#include "base/features.h"

static struct {
    const char *name;
    bool is_on;
} features[N_FEATURES] = {
    [FEATURE_API_RESPONSE_COMPRESSION] = {"APIResponseCompression", true},
    [FEATURE_ALLOW_UNSAFE_MALFORMED_OBJECT_DELETION] = {"AllowUnsafeMalformedObjectDeletion", false},
    [FEATURE_REMOTE_REQUEST_HEADER_UID] = {"RemoteRequestHeaderUID", true},
    [FEATURE_STORAGE_VERSION_HASH] = {"StorageVersionHash", true},
    [FEATURE_WATCH_LIST] = {"WatchList", true},
};

bool feature_is_on(enum feature f)
{
    return features[f].is_on;
}

const char *feature_name(enum feature f)
{
    return features[f].name;
}

void feature_switch(enum feature f, bool is_on)
{
    features[f].is_on = is_on;
}
