"""Finds files of one crate, or of one folder of JavaScript, that import each other in a circle.

    python3 tests/circles.py            all crates of the workspace, and www/src
    python3 tests/circles.py FILE…      crates by their root files (lib.rs, main.rs), or folders of JavaScript

What an import is:

- Rust: a path, in `use` or anywhere else, that starts with `crate`, `self` or `super`, or with a module that the same
  file declares. It imports the file of the last module that the path names, and no file above it. A module imports none
  of those below it, neither by `mod x;` nor by a path: it is made of them, and they may use what it defines.
- JavaScript: `import … from "./x.js"`, `export … from "./x.js"`, `import "./x.js"` and `import("./x.js")`.

Comments, texts and what is compiled for tests alone (`#[cfg(test)]`) import nothing.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?r(?P<hashes>\#*)".*?"(?P=hashes)|b?"(?:\\.|[^"\\])*"|b?'(?:\\.[^']*|[^\\'])'""", re.S
)
TOKEN = re.compile(r"[A-Za-z_]\w*|::|#!?\[|\S")
NAME = re.compile(r"[A-Za-z_]\w*$")
JS_SKIPPED = re.compile(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*", re.S)
JS_IMPORT = re.compile(r"""(?:\bfrom\s*|\bimport\s*\(?\s*)["'](\.{1,2}/[^"']+)["']""")


class Source:
    """A Rust file: where its module stands, which modules it declares, and the paths that it names."""

    def __init__(self, file, module):
        self.file, self.module = file, module
        self.children = {}  # name → path of the file that `#[path]` names, or None
        self.paths = []  # (module that the path stands in, names, line)
        text = SKIPPED.sub(lambda found: "\n" * found[0].count("\n"), keep_path_attributes(file.read_text()))
        self.tokens = [(found[0], text.count("\n", 0, found.start()) + 1) for found in TOKEN.finditer(text)]
        self.at = 0
        self.block(module)

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1][0]

    def peek(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at][0] if at < len(self.tokens) else ""

    def block(self, module):
        """Reads up to the brace that closes a module."""
        path = None
        while self.at < len(self.tokens):
            token = self.peek()
            if token in ("#[", "#!["):
                attribute = self.attribute()
                if re.search(r"\bcfg \( (all \( )?test\b", attribute):
                    self.skip_item()
                elif found := re.match(r"path_is_(\w+)", attribute):
                    path = bytes.fromhex(found[1]).decode()
            elif token == "mod" and self.peek(2) in (";", "{") and NAME.match(self.peek(1)):
                name, end = self.peek(1), self.peek(2)
                self.at += 3
                if end == "{":
                    self.block((*module, name))
                elif module == self.module:
                    self.children[name] = path
                path = None
            elif token == "use" and self.peek(1) != "<":
                line = self.tokens[self.at][1]
                self.at += 1
                for names in self.use_tree([]):
                    self.paths.append((module, names, line))
            elif token == "{":
                self.at += 1
                self.block(module)
            elif token == "}":
                self.at += 1
                return
            elif NAME.match(token):
                self.path(module)
            else:
                self.at += 1

    def attribute(self):
        """Takes an attribute; its tokens, with spaces between them."""
        self.at += 1
        depth, tokens = 1, []
        while depth and self.at < len(self.tokens):
            token = self.take()
            depth += (token in ("[", "#[")) - (token == "]")
            tokens.append(token)
        return " ".join(tokens)

    def skip_item(self):
        """Passes over what an attribute stands before."""
        depth = 0
        while self.at < len(self.tokens):
            token = self.take()
            depth += (token in "{([") - (token in "})]") if len(token) == 1 else 0
            if depth == 0 and token in (";", "}"):
                return

    def use_tree(self, start):
        """The paths of a `use`, whose braces are taken apart."""
        names, found = list(start), []
        while self.at < len(self.tokens):
            token = self.take()
            if token == "{":
                while self.peek() and self.peek() != "}":
                    found += self.use_tree(names)
                    if self.peek() == ",":
                        self.at += 1
                self.at += 1
                names = None
            elif token == "as":
                self.at += 1
            elif token == ";":
                break
            elif NAME.match(token):
                names.append(token)
            if self.peek() in (",", "}"):
                break
        return found if names is None else found + [names]

    def path(self, module):
        """Takes a name, and those that follow it behind `::`."""
        line, before = self.tokens[self.at][1], self.tokens[self.at - 1][0] if self.at else ""
        names = [self.take()]
        while self.peek() == "::" and NAME.match(self.peek(1)):
            names.append(self.peek(1))
            self.at += 2
        if len(names) > 1 and before not in (".", "::"):
            self.paths.append((module, names, line))


def keep_path_attributes(text):
    """`#[path = "…"]` without its quotation marks, which would go with the texts."""
    return re.sub(r'#\[path = "([^"]+)"\]', lambda found: f"#[path_is_{found[1].encode().hex()}]", text)


def rust_files(root):
    """The files of a crate, by their modules."""
    sources, waiting = {}, [Source(root, ())]
    while waiting:
        source = waiting.pop()
        sources[source.module] = source
        is_folder = source.module == () or source.file.name == "mod.rs"
        folder = source.file.parent if is_folder else source.file.with_suffix("")
        for name, path in source.children.items():
            places = [source.file.parent / path] if path else [folder / f"{name}.rs", folder / name / "mod.rs"]
            file = next((place for place in places if place.is_file()), None)
            if file:
                waiting.append(Source(file, (*source.module, name)))
    return sources


def rust_imports(root):
    """Which file of a crate imports which others, with the line of the first import."""
    sources = rust_files(root)
    imports = {source.file: {} for source in sources.values()}
    for source in sources.values():
        for module, names, line in source.paths:
            target = named_module(sources, module, names)
            if target is not None and target[: len(source.module)] != source.module:
                imports[source.file].setdefault(sources[target].file, line)
    return imports


def named_module(sources, module, names):
    """The last module with a file of its own that a path names; None for paths of other crates."""
    names = list(names)
    if names[0] == "crate":
        module, names = (), names[1:]
    elif names[0] == "self":
        names = names[1:]
    elif names[0] == "super":
        while names and names[0] == "super":
            module, names = module[:-1], names[1:]
    elif (*module, names[0]) not in sources:
        return None
    # Modules without a file stand in that of the module around them.
    while module not in sources:
        module = module[:-1]
    for name in names:
        if (*module, name) not in sources:
            break
        module = (*module, name)
    return module


def javascript_imports(folder):
    """Which file below a folder imports which others, with the line of the first import."""
    files = sorted(file for file in folder.rglob("*") if file.suffix in (".js", ".mjs", ".ts") and file.is_file())
    imports = {file.resolve(): {} for file in files}
    for file in imports:
        text = JS_SKIPPED.sub(lambda found: "\n" * found[0].count("\n"), file.read_text())
        for found in JS_IMPORT.finditer(text):
            target = (file.parent / found[1]).resolve()
            if target in imports and target != file:
                imports[file].setdefault(target, text.count("\n", 0, found.start()) + 1)
    return imports


def circles(imports):
    """A shortest circle through each file that stands in one; each circle once."""
    found, known = [], set()
    for start in imports:
        if start in known:
            continue
        came_from, waiting = {start: None}, [start]
        while waiting:
            file = waiting.pop(0)
            if start in imports[file]:
                circle = [file]
                while came_from[circle[-1]]:
                    circle.append(came_from[circle[-1]])
                known.update(circle)
                found.append(circle[::-1])
                break
            for target in imports[file]:
                if target not in came_from:
                    came_from[target] = file
                    waiting.append(target)
    return found


def workspace():
    """Root files of all crates, their tests and benches, and the page's sources."""
    members = re.search(r"^members = \[(.*?)\]", (ROOT / "Cargo.toml").read_text(), re.M | re.S)
    folders = [ROOT / name for name in re.findall(r'"([^"]+)"', members[1])]
    patterns = ["src/lib.rs", "src/main.rs", "suite/main.rs", "tests/*.rs", "benches/*.rs", "benches/*/main.rs"]
    return [file for folder in folders for pattern in patterns for file in sorted(folder.glob(pattern))] + [
        ROOT / "www/src"
    ]


def shown(file):
    """A file's path below the repository, if it stands there."""
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


def main(places):
    n_files, n_circles = 0, 0
    for place in [Path(place).resolve() for place in places] or workspace():
        imports = javascript_imports(place) if place.is_dir() else rust_imports(place)
        n_files += len(imports)
        for circle in circles(imports):
            n_circles += 1
            print("circle of imports:")
            for file, target in zip(circle, circle[1:] + circle[:1]):
                print(f"  {shown(file)}:{imports[file][target]} imports {shown(target)}")
    if n_circles:
        sys.exit(f"circles found: {n_circles}; move what both sides need into a file that imports neither")
    print(f"{n_files} files, no circle of imports")


if __name__ == "__main__":
    main(sys.argv[1:])
