"""Reads the documents of the source tree: links, headings and commands."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "docs"


def documents():
    """Every Markdown file that is committed or not ignored."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\n") if name and (ROOT / name).exists()]


def without_code(text):
    """The text without blocks and spans of code, which have no links or headings."""
    return re.sub(r"`[^`\n]*`", "`code`", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S))


def links(text):
    """The targets of links and images."""
    return re.findall(r"\]\(([^()\s]+)\)", without_code(text))


def anchors(text):
    """The anchors of the headings of a text, as in mdBook and on GitHub."""
    headings = re.findall(r"^#+ +(.+)$", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", re.sub(r"\]\([^)]*\)", "", heading)).strip().lower().replace(" ", "-") for heading in headings}


def commands(text):
    """The commands of the blocks marked `sh`, as a list of lines for each block. A line that ends with a backslash continues."""
    blocks = re.findall(r"^( *)```sh\n(.*?)^ *```$", text, re.M | re.S)
    return [re.sub(r"\\\n\s*", "", block).strip().split("\n") for _, block in blocks]
