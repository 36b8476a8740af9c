# SPDX-License-Identifier: Apache-2.0
"""A real etcd for a test: the program that ETCD names, or Debian's; on free loopback ports, with a data folder of its own.

    with Etcd() as etcd:
        server = Server("--etcd-servers=" + etcd.url)
    with Cluster() as etcd:  # three members; url has them all
        etcd.leader().end()

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


class Gateway:
    """What can be asked of an etcd by keys; open() is the way to one of its servers."""

    def ask(self, what, body):
        with self.open("kv/" + what, body) as answer:
            return json.load(answer)

    def is_ready(self, seconds=START_SECONDS):
        end = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < end:
            try:
                return self.revision() > 0
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
        return False

    def revision(self):
        return int(self.ask("range", {"key": base64.b64encode(b"x").decode(), "count_only": True})["header"]["revision"])

    def history(self, prefix):
        """Every change under the prefix since the beginning: (revision, rest of the key, value, or None for a deletion)."""
        changes, last, end = [], 1, self.revision()
        with self.open("watch", {"create_request": {"key": "AA==", "range_end": "AA==", "start_revision": "1"}}, 30) as answer:
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

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.close()


class Etcd(Gateway):
    def __init__(self, *flags, name="default"):
        self.flags = flags
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="keelson-etcd-")
        self.process = None
        self.url = self.peer = None
        self.cluster = None  # of several members: "name=peer,..."

    def choose_ports(self):
        self.url, self.peer = ("http://127.0.0.1:%d" % port for port in free_ports(2))

    def launch(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [program(), "--name=" + self.name, "--data-dir=" + os.path.join(self.folder, "data"),
                 "--listen-client-urls=" + self.url, "--advertise-client-urls=" + self.url,
                 "--listen-peer-urls=" + self.peer, "--initial-advertise-peer-urls=" + self.peer,
                 "--initial-cluster=" + (self.cluster or self.name + "=" + self.peer), *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_running(self):
        return self.process and self.process.poll() is None

    def start(self):
        """Another process may take a port between our look at it and etcd's: then once more."""
        for _ in range(5):
            self.choose_ports()
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

    def open(self, what, body, timeout=10):
        request = urllib.request.Request(self.url + "/v3/" + what, json.dumps(body).encode())
        return urllib.request.urlopen(request, timeout=timeout)

    def is_leader(self):
        with self.open("maintenance/status", {}, 2) as answer:
            status = json.load(answer)
        return status.get("leader", "0") == status["header"]["member_id"]

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Cluster(Gateway):
    """Members that elect a leader soon after one has gone."""

    def __init__(self, n=3):
        self.members = [Etcd("--heartbeat-interval=50", "--election-timeout=500", name="m%d" % i) for i in range(n)]
        self.url = None

    def start(self):
        for _ in range(5):
            for member in self.members:
                member.choose_ports()
            for member in self.members:
                member.cluster = ",".join("%s=%s" % (m.name, m.peer) for m in self.members)
                member.launch()
            self.url = ",".join(member.url for member in self.members)
            if self.is_ready():
                return self
            self.end()
        raise RuntimeError("etcd does not start")

    def is_running(self):
        return any(member.is_running() for member in self.members)

    def open(self, what, body, timeout=10):
        """Asks whichever answers."""
        for member in self.members:
            try:
                return member.open(what, body, timeout)
            except (OSError, http.client.HTTPException) as failure:
                last = failure
        raise last

    def leader(self, seconds=START_SECONDS):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for member in self.members:
                try:
                    if member.is_leader():
                        return member
                except (OSError, http.client.HTTPException):
                    pass
            time.sleep(0.05)
        raise RuntimeError("etcd has no leader")

    def follower(self):
        leader = self.leader()
        return next(member for member in self.members if member is not leader)

    def end(self):
        for member in self.members:
            member.end()

    def close(self):
        for member in self.members:
            member.close()
