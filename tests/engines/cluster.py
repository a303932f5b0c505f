"""Nodes of a Ray cluster on this machine, as `ray start` makes them; only their own processes are ended."""

import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# Nothing is sent anywhere, and no progress is printed.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1", "RAY_ADDRESS": ""}
# Nobody else computes on these nodes; and they do not depend on what Ray keeps in the home folder.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
RUNS = "Ray runtime started"
STORE = 100_000_000  # bytes of shared memory that a node takes


class Cluster:
    """A node that has the driver and computes nothing, and others."""

    def __init__(self, folder, nodes, processors, gpus=0):
        port = free_port()
        self.address, self.has = f"127.0.0.1:{port}", [f"--num-cpus={processors}", f"--num-gpus={gpus}"]
        self.log = open(folder / "ray.log", "a")
        # Sockets lie there, and their names may have 107 bytes: the folder's name is to be short.
        self.nodes = []
        self.nodes.append(self._start("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={folder}"))
        self.environment = QUIET | TOKEN | {"RAY_ADDRESS": self.address}
        try:
            for _ in range(nodes):
                self.add()
        except AssertionError:
            self.stop()
            raise

    def add(self):
        self.nodes.append(self._start(f"--address={self.address}", *self.has))

    def stop(self):
        for node in reversed(self.nodes):
            node.send_signal(signal.SIGTERM)
        for node in self.nodes:
            try:
                node.wait(20)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()
        self.log.close()

    def _start(self, *flags):
        """A node, once it says that it runs: two that start at the same time may choose the same ports."""
        ray = Path(sys.executable).with_name("ray")
        command = [ray, "start", "--block", "--node-ip-address=127.0.0.1", f"--object-store-memory={STORE}", *flags]
        told = self._said().count(RUNS)
        node = subprocess.Popen(command, env=os.environ | QUIET | TOKEN, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 90
        while self._said().count(RUNS) == told:
            if node.poll() is not None or time.monotonic() > deadline:
                node.terminate()
                raise AssertionError(f"a node of Ray does not run: {self._said()[-3000:]}")
            time.sleep(0.2)
        return node

    def _said(self):
        return Path(self.log.name).read_text()


def free_port():
    """Outside of those that the system gives to whoever asks, or someone else may have it before Ray starts."""
    while True:
        with socket.socket() as probe:
            port = random.randrange(20_000, 32_000)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
