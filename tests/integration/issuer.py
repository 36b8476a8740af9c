# SPDX-License-Identifier: Apache-2.0
"""Outside services that know who is who, for the tests: certificates, an OpenID Connect issuer, an identity server behind a webhook.
Keys and signatures are made by openssl(1)."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
import time


def openssl(folder, *args, data=None):
    return subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True, input=data).stdout


def make_authority(folder, name):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".crt")
    return os.path.join(folder, name + ".crt")


AUTHORITY = """[ca]
default_ca = it
[it]
database = index.%(name)s
rand_serial = yes
new_certs_dir = .
default_md = sha256
policy = any
[any]
organizationName = optional
commonName = supplied
"""


def make_certificate(folder, authority, name, subject, extensions="extendedKeyUsage=clientAuth\n",
                     dates=("20200101000000Z", "20400101000000Z")):
    """(certificate, key), good from the first date to the second."""
    for end, text in ((".ext", extensions), (".cnf", AUTHORITY % {"name": name})):
        with open(os.path.join(folder, name + end), "w") as file:
            file.write(text)
    open(os.path.join(folder, "index." + name), "w").close()
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
            "-keyout", name + ".key", "-out", name + ".csr")
    openssl(folder, "ca", "-batch", "-notext", "-config", name + ".cnf", "-cert", authority + ".crt",
            "-keyfile", authority + ".key", "-startdate", dates[0], "-enddate", dates[1], "-extfile", name + ".ext",
            "-in", name + ".csr", "-out", name + ".crt", "-preserveDN")
    return os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")


def url64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def text_of(value):
    return url64(json.dumps(value).encode())


class Key:
    """An RSA key: its JWK, and tokens by it."""

    def __init__(self, folder, kid):
        self.folder, self.kid, self.file = folder, kid, "signing-" + kid + ".pem"
        openssl(folder, "genrsa", "-out", self.file, "2048")
        modulus = openssl(folder, "rsa", "-in", self.file, "-noout", "-modulus").decode().strip().split("=")[1]
        self.jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": url64(bytes.fromhex(modulus)), "e": "AQAB"}
        self.public_pem = openssl(folder, "rsa", "-in", self.file, "-pubout")

    def token(self, claims, **header):
        signed = text_of({"alg": "RS256", "kid": self.kid, **header}) + "." + text_of(claims)
        return signed + "." + url64(openssl(self.folder, "dgst", "-sha256", "-sign", self.file, data=signed.encode()))


class Service:
    """An HTTPS server on a thread; answer(handler, body) gives (code, content type, bytes)."""

    def __init__(self, folder, certificate, answer, port=0):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append((self.command, self.path))
                code, kind, data, *headers = answer(self, body)
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = reply

            def log_message(self, *unused):
                pass
        self.requests = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = "https://127.0.0.1:%d" % self.port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


SERVING = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"


class Issuer(Service):
    """Discovery and keys. `keys` may change while it runs; `claims` are those of a good token."""

    def __init__(self, folder, certificate, path="", port=0, headers=()):
        self.folder, self.path, self.headers, self.is_broken = folder, path, headers, False
        self.keys, self.pages = [], {}
        super().__init__(folder, certificate, self.answer, port)
        self.issuer = self.url + path

    def answer(self, handler, _):
        if self.is_broken:
            return 500, "text/plain", b"broken"
        if handler.path == self.path + "/.well-known/openid-configuration":
            return 200, "application/json", json.dumps({"issuer": self.issuer, "jwks_uri": self.url + "/keys"}).encode()
        if handler.path == "/keys":
            return 200, "application/json", json.dumps({"keys": [k.jwk for k in self.keys]}).encode(), *self.headers
        if handler.path in self.pages:
            return self.pages[handler.path](handler)
        return 404, "text/plain", b"no such page"

    def claims(self, **more):
        claims = {"iss": self.issuer, "aud": "kubernetes", "sub": "0815", "exp": int(time.time()) + 600,
                  "iat": int(time.time()), "nbf": int(time.time()), "jti": "j1", "name": "jane", "groups": ["dev", "ops"],
                  "tenant": "acme"}
        claims.update(more)
        return {k: v for k, v in claims.items() if v is not None}

    def token(self, key=None, **more):
        return (key or self.keys[0]).token(self.claims(**more))


class IdentityServer(Service):
    """Knows tokens by name, like a Keystone behind its webhook: tokens[TOKEN] is a TokenReview's status, or a code to fail with."""

    def __init__(self, folder, certificate, version="v1"):
        self.version, self.tokens, self.asked, self.credentials = version, {}, [], set()
        super().__init__(folder, certificate, self.answer)

    def answer(self, handler, body):
        review = json.loads(body)
        self.asked.append(review)
        self.credentials.add(handler.headers.get("Authorization"))
        status = self.tokens.get(review["spec"]["token"], {"authenticated": False})
        if isinstance(status, int):
            return status, "text/plain", b"trouble"
        if isinstance(status, bytes):
            return 200, "application/json", status
        return 200, "application/json", json.dumps(
            {"apiVersion": "authentication.k8s.io/" + self.version, "kind": "TokenReview", "status": status}).encode()

    def kubeconfig(self, path, authority, token="webhook-secret"):
        with open(path, "w") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                       "clusters": [{"name": "k", "cluster": {"server": self.url + "/authenticate",
                                                              "certificate-authority": authority}}],
                       "users": [{"name": "u", "user": {"token": token}}],
                       "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}]}, file)
        return path


def who(server, headers=None, token=None, pair=None):
    """(code, name, groups, extra) of the user that the server sees."""
    connection = server.connect()
    if pair:
        connection._context.load_cert_chain(*pair)
    try:
        code, _, answer = server.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                                         {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
                                         headers, connection, token)
    finally:
        connection.close()
    user = answer.get("status", {}).get("userInfo", {}) if code == 201 else {}
    return code, user.get("username"), user.get("groups"), user.get("extra", {})
