# SPDX-License-Identifier: Apache-2.0
"""A real etcd for a test: the program that ETCD names, or Debian's; on free loopback ports, with a data folder of its own.

    with Etcd() as etcd:
        server = Server("--etcd-servers=" + etcd.url)

Keys are read and written through its gateway, as bytes.
"""
import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

START_SECONDS = 20


def program():
    return os.environ.get("ETCD") or "/usr/bin/etcd"


def is_there():
    return os.access(program(), os.X_OK)


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Etcd:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="keelson-etcd-")
        self.process = None
        self.url = None

    def start(self):
        """Another process may take a port between our look at it and etcd's: then once more."""
        for _ in range(5):
            client, peer = ("http://127.0.0.1:%d" % port for port in free_ports(2))
            with open(os.path.join(self.folder, "log"), "ab") as log:
                self.process = subprocess.Popen(
                    [program(), "--data-dir=" + os.path.join(self.folder, "data"), "--listen-client-urls=" + client,
                     "--advertise-client-urls=" + client, "--listen-peer-urls=" + peer,
                     "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.url = client
            end = time.monotonic() + START_SECONDS
            while self.process.poll() is None and time.monotonic() < end:
                try:
                    self.ask("range", {"key": base64.b64encode(b"x").decode()})
                    return self
                except OSError:
                    time.sleep(0.05)
            self.end()
        raise RuntimeError("etcd does not start")

    def ask(self, what, body):
        request = urllib.request.Request(self.url + "/v3/kv/" + what, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def get(self, key):
        """The value, or None."""
        kvs = self.ask("range", {"key": base64.b64encode(key.encode()).decode()}).get("kvs")
        return base64.b64decode(kvs[0].get("value", "")) if kvs else None

    def keys(self, prefix):
        """All keys behind the prefix, in the order in which they were last changed."""
        first = prefix.encode()
        after = first[:-1] + bytes([first[-1] + 1])
        kvs = self.ask("range", {"key": base64.b64encode(first).decode(), "range_end": base64.b64encode(after).decode(),
                                 "keys_only": True, "sort_target": "MOD", "sort_order": "ASCEND"}).get("kvs", [])
        return [base64.b64decode(kv["key"]).decode() for kv in kvs]

    def put(self, key, value):
        self.ask("put", {"key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(value).decode()})

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.close()
