# SPDX-License-Identifier: Apache-2.0
"""A real etcd for a test: the program that ETCD names, or Debian's; on free loopback ports, with a data folder of its own.

    with Etcd() as etcd:
        server = Server("--etcd-servers=" + etcd.url)

Keys are read and written through its gateway, as bytes.
"""
import base64
import http.client
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
    def __init__(self, *flags):
        self.flags = flags
        self.folder = tempfile.mkdtemp(prefix="keelson-etcd-")
        self.process = None
        self.url = self.peer = None

    def launch(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [program(), "--data-dir=" + os.path.join(self.folder, "data"), "--listen-client-urls=" + self.url,
                 "--advertise-client-urls=" + self.url, "--listen-peer-urls=" + self.peer,
                 "--initial-advertise-peer-urls=" + self.peer, "--initial-cluster=default=" + self.peer, *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_ready(self, seconds=START_SECONDS):
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            try:
                return self.revision() > 0
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
        return False

    def start(self):
        """Another process may take a port between our look at it and etcd's: then once more."""
        for _ in range(5):
            self.url, self.peer = ("http://127.0.0.1:%d" % port for port in free_ports(2))
            self.launch()
            if self.is_ready():
                return self
            self.end()
        raise RuntimeError("etcd does not start")

    def again(self):
        """After end(), on the same ports and data; does not wait."""
        self.launch()

    def signal(self, number):
        self.process.send_signal(number)

    def ask(self, what, body):
        request = urllib.request.Request(self.url + "/v3/kv/" + what, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def revision(self):
        return int(self.ask("range", {"key": base64.b64encode(b"x").decode(), "count_only": True})["header"]["revision"])

    def history(self, prefix):
        """Every change under the prefix since the beginning: (revision, rest of the key, value, or None for a deletion)."""
        request = urllib.request.Request(self.url + "/v3/watch", json.dumps(
            {"create_request": {"key": "AA==", "range_end": "AA==", "start_revision": "1"}}).encode())
        changes, last, end = [], 1, self.revision()
        with urllib.request.urlopen(request, timeout=30) as answer:
            while last < end:
                for event in json.loads(answer.readline())["result"].get("events", []):
                    kv = event["kv"]
                    last, key = int(kv["mod_revision"]), base64.b64decode(kv["key"]).decode()
                    value = None if event.get("type") == "DELETE" else base64.b64decode(kv.get("value", ""))
                    if key.startswith(prefix):
                        changes.append((last, key[len(prefix):], value))
        return changes

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
