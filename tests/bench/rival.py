"""Rivals, and the browser, are programs that run while we wait, and wait while we run: a line of JSON in, a line of JSON out.

They see the cores that they may use and no others, and time their own work, so that neither start nor pipe counts.
"""

import json
import os
import subprocess
import sys

from setting import BENCH, environment, pinned


class Program:
    """A running program that answers requests; to be used by `with`."""

    def __init__(self, name, command, threads, isa=None):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(threads, isa), preexec_fn=pinned(threads)
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


class Rival:
    """One of `rivals`, to be used by `with`. Those with as many threads and the same instructions share a process, whose libraries take seconds to load."""

    _processes = {}

    def __init__(self, setting, name, threads, **options):
        place = threads, setting.isa
        known = self._processes.get(place)
        if known is None or known.process.poll() is not None:
            self._processes[place] = Program("the process of the rivals", [sys.executable, BENCH / "rivals/serve.py", str(threads)], *place)
        self.process = self._processes[place]
        self.id, self.version = self._answer(what="open", name=name, options=options)

    def ask(self, **request):
        return self._answer(id=self.id, **request)

    def _answer(self, **request):
        found = self.process.ask(**request)
        if "error" in found:
            raise RuntimeError(found["error"])
        return found["answer"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ask(what="close")


class Browser(Program):
    """Chromium with a server for it, on all cores; `folders` are served by the name given to them."""

    def __init__(self, www, **folders):
        command = ["node", BENCH / "browser/serve.mjs", json.dumps({"www": www, "folders": folders}, default=str)]
        super().__init__("the browser's server", command, len(os.sched_getaffinity(0)))
