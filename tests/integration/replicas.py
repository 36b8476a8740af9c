# SPDX-License-Identifier: Apache-2.0
"""Several servers over one etcd, and one address for all of them."""
import os
import socket
import threading

from server import Server


class Balancer:
    """Gives each new connection to the next server that takes it."""

    def __init__(self, servers):
        self.servers, self.next = servers, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        for _ in self.servers:
            self.next += 1
            server = self.servers[self.next % len(self.servers)]
            try:
                behind = socket.create_connection(("127.0.0.1", server.port), timeout=2)
                behind.settimeout(None)
                break
            except OSError:
                continue
        else:
            client.close()
            return
        threading.Thread(target=self.copy, args=(behind, client), daemon=True).start()
        self.copy(client, behind)

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def replicas(etcd, n, *flags):
    """n servers with one authority."""
    first = Server("--etcd-servers=" + etcd.url, *flags).start()
    pki = os.path.join(first.folder, "data", "pki")
    servers = [first]
    for _ in range(n - 1):
        server = Server("--etcd-servers=" + etcd.url, "--cert-dir=" + pki, *flags)
        os.makedirs(os.path.join(server.folder, "data"), exist_ok=True)
        os.symlink(pki, os.path.join(server.folder, "data", "pki"))
        servers.append(server.start())
    return servers


def config_behind(balancer, server):
    """The path of a kubeconfig like the server's, for the balancer's address."""
    path = os.path.join(server.folder, "config")
    with open(server.kubeconfig) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace(server.url, "https://127.0.0.1:%d" % balancer.port))
    return path
