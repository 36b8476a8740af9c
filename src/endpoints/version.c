/* SPDX-License-Identifier: Apache-2.0 */
/* /version: which Kubernetes this server is one of. Clients decide by it what they may ask for. */
#include "endpoints/endpoints_internal.h"

static const char version_json[] = "{\n"
                                   "  \"major\": \"1\",\n"
                                   "  \"minor\": \"36\",\n"
                                   "  \"emulationMajor\": \"1\",\n"
                                   "  \"emulationMinor\": \"36\",\n"
                                   "  \"minCompatibilityMajor\": \"1\",\n"
                                   "  \"minCompatibilityMinor\": \"35\",\n"
                                   "  \"gitVersion\": \"v1.36.3+keelson-" KEELSON_VERSION "\",\n"
                                   "  \"gitCommit\": \"\",\n"
                                   "  \"gitTreeState\": \"clean\",\n"
                                   "  \"buildDate\": \"1970-01-01T00:00:00Z\",\n"
                                   "  \"goVersion\": \"\",\n"
                                   "  \"compiler\": \"gcc\",\n"
                                   "  \"platform\": \"linux/amd64\"\n"
                                   "}";

enum flow serve_version(struct request *r, struct endpoints *e, struct text rest)
{
    if (rest.n)
        return fail_no_resource(r);
    if (!text_is(r->method, "GET"))
        return fail_method(r);
    response_bytes(r, 200, "application/json", (struct text){version_json, sizeof(version_json) - 1});
    return FLOW_DONE;
}
