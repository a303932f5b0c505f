"""Runs the commands in the documents. Each page has its own folder, and its commands run in order.

Lines that start with `trainer` or `target/release/trainer` are run, and lines with `curl` against the server that the page starts. Other commands
build, install or need a cluster, and are not run here.
"""

import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import sandbox
from documents import BOOK, ROOT, commands

PAGES = [ROOT / "README.md", ROOT / "www/README.md", ROOT / "trainer/python/README.md", *sorted(BOOK.glob("*.md"))]
# The sandbox has the results of earlier pages. These outputs of a page must not exist before its commands run.
MADE = {"README.md": ("run", "my-model"), "train.md": ("run", "my-model"), "web.md": ("my-model",), "models.md": ("my-model",)}


def words(line):
    """The words of a command without its comment; empty for a line that is not a command."""
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return []


def ours(line):
    """The arguments of a `trainer` command, or None for another command."""
    found = words(line)
    return found[1:] if found and found[0] in ("trainer", "target/release/trainer") and "|" not in found else None


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = Path(tempfile.mkdtemp(prefix="docs"))
        cls.addClassCleanup(shutil.rmtree, cls.base)
        sandbox.make(cls.base / "made")

    def folder(self, page):
        folder = self.base / page.relative_to(ROOT).with_suffix("")
        shutil.copytree(self.base / "made", folder)
        for name in MADE.get(page.name, ()):
            shutil.rmtree(folder / name)
        return folder

    def test_every_command_of_the_documents_runs(self):
        count = 0
        for page in PAGES:
            lines = [line.strip() for block in commands(page.read_text()) for line in block]
            arguments = [found for found in map(ours, lines) if found is not None]
            if not arguments:
                continue
            folder = self.folder(page)
            for given in arguments:
                with self.subTest(page=page.name, command=" ".join(given)):
                    count += 1
                    if given[0] == "serve":
                        self.serve(folder, given, [words(line) for line in lines if line.startswith("curl ")])
                    else:
                        sandbox.run(folder, given)
        self.assertGreater(count, 25)

    def serve(self, folder, given, requests):
        """Starts the server, sends the requests of the page, and ends the server."""
        server = subprocess.Popen([sandbox.TRAINER, *sandbox.small(given)], cwd=folder, stderr=subprocess.PIPE, text=True)
        try:
            said = []
            while not (address := re.search(r"http://(127\.0\.0\.1:\d+)", said[-1] if said else "")):
                said.append(server.stderr.readline())
                self.assertTrue(said[-1], said)
            for request in requests:
                request = [word.replace("127.0.0.1:8080", address[1]) for word in request]
                patient = ["--silent", "--show-error", "--fail", "--retry", "20", "--retry-all-errors"]
                done = subprocess.run([*request, *patient], cwd=folder, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, f"{request}: {done.stderr}")
                self.assertTrue(done.stdout)
        finally:
            server.terminate()
            server.communicate(timeout=60)
        self.assertEqual(server.returncode, 0)


if __name__ == "__main__":
    unittest.main()
