"""Rivals, and the browser, are programs that run while we wait, and wait while we run: a line of JSON in, a line of JSON out.

Each has a process for itself, with its own cores, and times its own work, so that neither its start nor the pipe counts.
"""

import json
import os
import subprocess
import sys

from setting import BENCH, environment, pinned


class Program:
    """A running program that answers requests; to be used by `with`."""

    def __init__(self, name, command, threads):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(threads), preexec_fn=pinned(threads)
        )
        self.version = self._answer()  # it is ready

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request, default=str) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}; what it said stands above")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()  # ends its loop
        self.process.wait()


class Rival(Program):
    """A rival of `rivals/serve.py`."""

    def __init__(self, name, threads, **options):
        options = json.dumps(options | {"threads": threads}, default=str)
        super().__init__(f"the rival {name}", [sys.executable, BENCH / "rivals/serve.py", name, options], threads)


class Browser(Program):
    """Chromium with a server for it, on all cores; `folders` are served by the name given to them."""

    def __init__(self, www, **folders):
        command = ["node", BENCH / "browser/serve.mjs", json.dumps({"www": www, "folders": folders}, default=str)]
        super().__init__("the browser's server", command, len(os.sched_getaffinity(0)))
