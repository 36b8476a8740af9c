# SPDX-License-Identifier: Apache-2.0
"""What a server serves, and an object of each kind."""
import json
import os

from server import HERE, equal


def folder_of(group, version):
    return "/apis/%s/%s" % (group, version) if group else "/api/" + version


def resources_of(server):
    """(group, version, APIResource) of all that has no slash in its name."""
    versions = [("", v) for v in server.must(200, "GET", "/api")["versions"]]
    groups = server.must(200, "GET", "/apis")["groups"]
    versions += [(g["name"], v["version"]) for g in groups for v in g["versions"]]
    for group, version in versions:
        found = server.must(200, "GET", folder_of(group, version))
        equal(found["kind"], "APIResourceList")
        equal(found["groupVersion"], group + "/" + version if group else version)
        for resource in found["resources"]:
            if "/" not in resource["name"]:
                yield group, version, resource


def manifest_of(group, version, resource, ns, addr="10.0.0.192"):
    """A small valid object, manifests/GROUP_VERSION_RESOURCE.json with these for {ns} and {addr}; None where there is none."""
    path = os.path.join(HERE, "manifests", "%s_%s_%s.json" % (group or "core", version, resource))
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return json.loads(file.read().replace("{ns}", ns).replace("{addr}", addr))
