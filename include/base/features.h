/* features.h - the feature gates of kube-apiserver that switch something here, for every floor to ask. The command line, with
 * all the other gates that upstream knows, is read by the top floor (src/server/feature_gates.h).
 * Threads: switched before the first thread starts, then asked by any. Not in base.h: few files ask. */
#pragma once

#include <stdbool.h>

enum feature {
    FEATURE_API_RESPONSE_COMPRESSION, /* gzip for clients that take it */
    FEATURE_ALLOW_UNSAFE_MALFORMED_OBJECT_DELETION,
    FEATURE_REMOTE_REQUEST_HEADER_UID, /* --requestheader-uid-headers may be given */
    FEATURE_STORAGE_VERSION_HASH, /* of discovery */
    FEATURE_WATCH_LIST, /* sendInitialEvents */
    N_FEATURES,
};

bool feature_is_on(enum feature f);
const char *feature_name(enum feature f); /* of the gate */
void feature_switch(enum feature f, bool is_on);
