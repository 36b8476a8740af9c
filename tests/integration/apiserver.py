# SPDX-License-Identifier: Apache-2.0
"""A real kube-apiserver for a test, the program that KUBE_APISERVER names: what it and keelson answer can be compared, and both
can be put over one etcd.

    with Etcd() as etcd, KubeApiserver("--etcd-servers=" + etcd.url) as upstream:
        upstream.must(200, "GET", "/api/v1/namespaces")
"""
import http.client
import os
import signal
import ssl
import subprocess
import time

from etcd import free_ports
from server import REQUEST_SECONDS, Server

START_SECONDS = 90
STOP_SECONDS = 90
# All that is on by default but for the life of namespaces: keelson has not all of it yet, and the same objects shall be stored.
PLUGINS_OFF = ("LimitRanger,ServiceAccount,TaintNodesByCondition,PodSecurity,Priority,DefaultTolerationSeconds,DefaultStorageClass,"
               "StorageObjectInUseProtection,PodGroupProtection,PersistentVolumeClaimResize,RuntimeClass,CertificateApproval,"
               "CertificateSigning,ClusterTrustBundleAttest,CertificateSubjectRestriction,DefaultIngressClass,PodTopologyLabels,"
               "PodGroupWorkloadExists,NodeDeclaredFeatureValidator,JobValidation,PodResizeValidator,MutatingAdmissionPolicy,"
               "MutatingAdmissionWebhook,ValidatingAdmissionPolicy,ValidatingAdmissionWebhook,ResourceQuota")


def program():
    return os.environ.get("KUBE_APISERVER", "")


def is_there():
    return os.access(program(), os.X_OK)


def make_key(folder):
    """The key that signs and checks the tokens of service accounts."""
    path = os.path.join(folder, "sa.key")
    if not os.path.exists(path):
        subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=60)
    return path


class KubeApiserver(Server):
    """Its flags are keelson's tests' own, then those given. key None: one of its own for the tokens of service accounts."""

    def __init__(self, *flags, key=None, folder=None):
        super().__init__(*flags, folder=folder)
        self.key = key or make_key(self.folder)
        self.host = "127.0.0.1"
        self.port = 0

    def command(self, *more):
        return [program(), "--bind-address=127.0.0.1", "--secure-port=%d" % self.port, "--advertise-address=192.0.2.77",
                "--cert-dir=" + os.path.join(self.folder, "certs"), "--token-auth-file=" + self.tokens,
                "--authorization-mode=Node,RBAC", "--allow-privileged=true", "--service-cluster-ip-range=10.0.0.0/24",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                "--service-account-key-file=" + self.key, "--service-account-signing-key-file=" + self.key,
                "--disable-admission-plugins=" + PLUGINS_OFF, *self.flags, *more]

    def start(self):
        self.port = free_ports(1)[0]
        self.url = "https://%s:%d" % (self.host, self.port)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.request("GET", "/readyz")[0] == 200:
                    self.write_kubeconfig()
                    return self
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        raise RuntimeError("kube-apiserver did not start\n" + self.said()[-3000:])

    def write_kubeconfig(self):
        os.makedirs(os.path.dirname(self.kubeconfig), exist_ok=True)
        with open(self.kubeconfig, "w") as file:
            file.write("apiVersion: v1\nkind: Config\nclusters:\n- name: u\n  cluster: {server: \"%s\", insecure-skip-tls-verify: true}\n"
                       "users:\n- name: u\n  user: {token: admin-token}\ncontexts:\n- name: u\n  context: {cluster: u, user: u}\n"
                       "current-context: u\n" % self.url)

    def connect(self, timeout=REQUEST_SECONDS):
        """Its certificate is of its own making."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait(STOP_SECONDS)
