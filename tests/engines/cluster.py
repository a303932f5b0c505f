"""Nodes of a Ray cluster on this machine, as `ray start` makes them; only their own processes are ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# Nothing is sent anywhere, and no progress is printed.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1", "RAY_ADDRESS": ""}
STORE = 100_000_000  # bytes of shared memory that a node takes


class Cluster:
    """A node that has the driver and computes nothing, and others."""

    def __init__(self, folder, nodes, processors):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self.processors = f"127.0.0.1:{port}", processors
        self.log = open(folder / "ray.log", "w+")
        # Sockets lie there, and their names may have 107 bytes: the folder's name is to be short.
        self.nodes = [self._start("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={folder}")]
        self.environment = QUIET | {"RAY_ADDRESS": self.address}
        self._wait("GCS")
        for _ in range(nodes):
            self.add()

    def add(self):
        self.nodes.append(self._start(f"--address={self.address}", f"--num-cpus={self.processors}"))

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
        ray = Path(sys.executable).with_name("ray")
        command = [ray, "start", "--block", "--node-ip-address=127.0.0.1", f"--object-store-memory={STORE}", *flags]
        return subprocess.Popen(command, env=os.environ | QUIET, stdout=self.log, stderr=self.log)

    def _wait(self, what):
        host, port = self.address.split(":")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                return socket.create_connection((host, int(port)), 1).close()
            except OSError:
                time.sleep(0.2)
        self.log.seek(0)
        raise AssertionError(f"{what} did not start: {self.log.read()[-3000:]}")
