# SPDX-License-Identifier: Apache-2.0
"""A server of one's own for a test: a free loopback port, a temporary folder, ended by its process id.

    with Server() as server:
        code, headers, body = server.request("GET", "/api/v1/namespaces")

Only the standard library. BUILD names the build folder (default: build). The recorded cases lie beside the checkout; a
test that needs them skips with a reason where they are absent.
"""
import atexit
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CASES = os.path.join(ROOT, "..", "shared", "cases")
TOKEN = "admin-token"
TOKENS = ("admin-token,admin,admin-uid,\"system:masters\"\nalice-token,alice,alice-uid,\"team-a\"\n")
START_SECONDS = 30
STOP_SECONDS = 20
REQUEST_SECONDS = 30


def program():
    return os.path.join(ROOT, os.environ.get("BUILD", "build"), "keelson")


def skip(reason):
    """Ends the test with the status that the runner takes for skipped."""
    print("skipped: " + reason)
    sys.exit(77)


class Server:
    """One process. folder None: a new temporary one, removed at the end. tokens None: the two of TOKENS."""

    def __init__(self, *flags, folder=None, tokens=None):
        if not os.access(program(), os.X_OK):
            skip("%s is not built" % program())
        self.is_folder_ours = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="keelson-test-")
        self.tokens = tokens
        self.flags = list(flags)
        self.process = None
        self.log = os.path.join(self.folder, "log")
        self.kubeconfig = os.path.join(self.folder, "data", "admin.kubeconfig")
        if tokens is None:
            self.tokens = os.path.join(self.folder, "tokens.csv")
            with open(self.tokens, "w") as file:
                file.write(TOKENS)
        atexit.register(self.close)

    def command(self, *more):
        return [program(), "--data-dir=" + os.path.join(self.folder, "data"), "--bind-address=127.0.0.1",
                "--secure-port=0", "--token-auth-file=" + self.tokens, *self.flags, *more]

    def start(self):
        """Returns once the server says that it serves."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        line = self.process.stdout.readline().decode()
        timer.cancel()
        if not line.startswith("export KUBECONFIG="):
            raise RuntimeError("the server did not start: %r\n%s" % (line, self.said()))
        with open(self.kubeconfig) as file:
            match = re.search(r"server: \"?https://([0-9.]+):(\d+)", file.read())
        self.host, self.port = match.group(1), int(match.group(2))
        self.url = "https://%s:%d" % (self.host, self.port)
        return self

    def said(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS):
        """The exit status; -9 and the like for a signal."""
        code = self.process.wait(timeout=seconds)
        self.process.stdout.close()
        self.process = None
        return code

    def stop(self):
        """SIGTERM, then the exit status. A server that does not end in time is killed, and that is an error."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise RuntimeError("the server did not end within %d s of SIGTERM" % STOP_SECONDS)

    def close(self):
        if self.process:
            self.process.kill()
            self.wait()
        if self.is_folder_ours:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.close()

    # -- requests

    def connect(self, timeout=REQUEST_SECONDS):
        """A connection that verifies the server by its own authority."""
        context = ssl.create_default_context(cafile=os.path.join(self.folder, "data", "pki", "ca.crt"))
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def request(self, method, path, body=None, headers=None, connection=None, token=TOKEN):
        """(code, headers, body); a JSON answer is parsed, another one is bytes. body: bytes, or what JSON can say."""
        sent = dict(headers or {})
        if token:
            sent.setdefault("Authorization", "Bearer " + token)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        mine = connection is None
        connection = connection or self.connect()
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            data = response.read()
        finally:
            if mine:
                connection.close()
        if response.headers.get("Content-Type", "").startswith("application/json"):
            data = json.loads(data)
        return response.status, response.headers, data

    def must(self, code, method, path, body=None, **more):
        """The body of an answer that has this code; else an AssertionError that shows the answer."""
        got, _, answer = self.request(method, path, body, **more)
        if got != code:
            raise AssertionError("%s %s: expected %d, got %d: %.600s" % (method, path, code, got, answer))
        return answer

    def watch(self, path):
        return Watch(self, path)


class Watch:
    """An open watch. next() gives the events one after the other, None where the stream has ended."""

    def __init__(self, server, path):
        self.connection = server.connect()
        self.connection.request("GET", path, headers={"Authorization": "Bearer " + TOKEN})
        self.socket = self.connection.sock  # the response's alone when the server closes at its end
        self.response = self.connection.getresponse()
        self.code = self.response.status
        if self.code != 200:
            self.body = json.loads(self.response.read())

    def next(self, seconds=10):
        """TimeoutError when nothing comes in time; another OSError or HTTPException where the stream was cut."""
        self.socket.settimeout(seconds)
        line = self.response.readline()
        return json.loads(line) if line else None

    def close(self):
        self.response.close()
        self.connection.close()


class Tests:
    """Runs functions, counts, prints the closing line. A test fails with an exception of whatever kind."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def run(self, name, function, *arguments):
        started = time.monotonic()
        try:
            function(*arguments)
        except Exception as error:  # pylint: disable=broad-except
            self.failed += 1
            print("FAILED %s: %s: %s" % (name, type(error).__name__, error))
            return False
        self.passed += 1
        print("ok %s (%.1f s)" % (name, time.monotonic() - started))
        return True

    def skip(self, name, reason):
        self.skipped += 1
        print("skipped %s: %s" % (name, reason))

    def end(self):
        print("%d passed, %d failed%s" % (self.passed, self.failed, ", %d skipped" % self.skipped if self.skipped else ""))
        sys.stdout.flush()
        sys.exit(1 if self.failed else 0)


def check(holds, *what):
    """Unlike assert, stays with python -O, and says more."""
    if not holds:
        raise AssertionError(" ".join(str(w) for w in what)[:1500])


def equal(got, expected, what=""):
    check(got == expected, "%s: expected %r, got %r" % (what or "value", expected, got))
