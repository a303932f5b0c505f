"""Fetches the pictures that packages.json lists, and writes who made them under which licence.

    python3 fetch.py FOLDER

apt-get downloads each package at its pinned version, without installing it. FOLDER gets the pictures and pictures.csv.
Author and licence come from the package: from the description beside the picture, or from its copyright file in
Debian's machine-readable format 1.0.
"""

import csv
import fnmatch
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

COLUMNS = ["file", "title", "author", "licence", "package", "version"]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: fetch.py FOLDER")
    out = Path(sys.argv[1]).absolute()
    if out.exists():
        sys.exit(f"{out} exists already; remove it to fetch the pictures again")
    packages = json.loads(Path(__file__).with_name("packages.json").read_text())["packages"]
    out.parent.mkdir(parents=True, exist_ok=True)
    # The folder gets its name when it is complete.
    with tempfile.TemporaryDirectory(dir=out.parent) as unfinished:
        complete = Path(unfinished, "complete")
        complete.mkdir()
        rows = [row for package in packages for row in fetch(package, complete)]
        names = [row["file"] for row in rows]
        if len(set(names)) < len(names):
            sys.exit(f"two pictures have the same name: {sorted(names)}")
        with (complete / "pictures.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(sorted(rows, key=lambda row: row["file"]))
        complete.rename(out)
    print(f"wrote {out} ({len(rows)} pictures)")


def fetch(package, out):
    """Copies the pictures of a package to `out` and returns their rows of the list."""
    with tempfile.TemporaryDirectory() as folder:
        unpack(package, Path(folder))
        return [keep(package, Path(folder), picture, out) for picture in pictures(package, Path(folder))]


def unpack(package, folder):
    """Downloads a package into `folder`, checks its sum and unpacks it there."""
    wanted = f"{package['name']}={package['version']}"
    # apt's own user may not write to the folder, and apt then warns about a download as this user.
    apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=", "download", wanted]
    if subprocess.run(apt, cwd=folder).returncode:
        sys.exit(f"apt-get has no {wanted}; it is a package of Debian 12, and `apt-get update` may be due")
    [archive] = folder.glob("*.deb")
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != package["sha256"]:
        sys.exit(f"{wanted} has SHA-256 {found}, expected {package['sha256']}")
    subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)


def pictures(package, folder):
    """The pictures of a package. A pattern without a picture is an error."""
    found = []
    for pattern in package["pictures"]:
        matches = sorted(path for path in folder.glob(pattern) if not path.is_symlink())
        if not matches:
            sys.exit(f"{package['name']} has no {pattern}")
        found += matches
    return found


def keep(package, folder, picture, out):
    """Copies a picture to `out` and returns its row of the list."""
    copyright_file = folder / "usr/share/doc" / package["name"] / "copyright"
    title, author, licence = described(picture) or (
        title_of(picture.stem),
        *stated(copyright_file.read_text(), picture.name),
    )
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + picture.suffix
    shutil.copyfile(picture, out / name)
    origin = {"package": package["name"], "version": package["version"]}
    return {"file": name, "title": title, "author": author, "licence": licence, **origin}


def described(picture):
    """Title, author and licence by KDE's description of a wallpaper or a puzzle, if there is one."""
    for folder in picture.parents[:3]:
        if (folder / "metadata.json").exists():
            plugin = json.loads((folder / "metadata.json").read_text())["KPlugin"]
            return title_of(plugin["Name"]), ", ".join(author["Name"] for author in plugin["Authors"]), plugin["License"]
    if picture.with_suffix(".desktop").exists():
        lines = picture.with_suffix(".desktop").read_text().splitlines()
        entries = dict(line.split("=", 1) for line in lines if "=" in line)
        return tuple(entries[key] for key in ["Name", "X-KDE-PluginInfo-Author", "X-KDE-PluginInfo-License"])
    return None


def title_of(name):
    """A name as words: `FallenLeaf` and `fallen_leaf_by_NAME` are `Fallen Leaf` and `fallen leaf`."""
    name = re.sub(r"_by_.*|_\d+x\d+", "", name)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.sub(r"[_-]+", " ", name)


def stated(text, name):
    """Authors and licence of a file by a copyright file; the last paragraph that matches counts.

    Packages move files, so only file names are compared. `*` alone covers all files.
    """
    found = None
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^(\S+):[ \t]*(.*(?:\n[ \t].*)*)", paragraph, re.MULTILINE))
        patterns = fields.get("Files", "").split()
        if any(p == "*" or not p.endswith("/*") and fnmatch.fnmatch(name, p.rsplit("/", 1)[-1]) for p in patterns):
            holders = [holder_of(line) for line in fields["Copyright"].splitlines() if line.strip()]
            found = ", ".join(holders), fields["License"].splitlines()[0]
    if not found:
        sys.exit(f"the copyright file does not cover {name}")
    return found


def holder_of(line):
    """A copyright holder without years and address: `2018, A. Name <a@b.c>` is `A. Name`."""
    line = re.sub(r"<[^>]*>\W*|http\S*", "", line)
    return re.sub(r"(^[\d\s,.–-]+)|(,\s*\d{4}$)", "", line.strip()).replace('"', "")


if __name__ == "__main__":
    main()
