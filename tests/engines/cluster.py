"""Nodes of a Ray cluster on this machine, started by `ray start`. Only their own processes are ended."""

import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# Ray sends no usage statistics and prints no progress.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1", "RAY_ADDRESS": ""}
# Other users cannot use these nodes, and the nodes do not depend on Ray's files in the home folder.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
RUNS = "Ray runtime started"
STORE = 100_000_000  # bytes of shared memory of a node


class Cluster:
    """A head node without processors, which runs the driver, and other nodes."""

    def __init__(self, folder, nodes, processors, gpus=0):
        port = free_port()
        self.address, self.has = f"127.0.0.1:{port}", [f"--num-cpus={processors}", f"--num-gpus={gpus}"]
        self.log = open(folder / "ray.log", "a")
        # The folder has sockets, whose names have at most 107 bytes. So the name of the folder must be short.
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
        """Starts a node and waits until it runs. Two nodes that start at the same time can choose the same ports."""
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
    """A free port outside the range of ephemeral ports, from which another process could get it before Ray starts."""
    while True:
        with socket.socket() as probe:
            port = random.randrange(20_000, 32_000)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
