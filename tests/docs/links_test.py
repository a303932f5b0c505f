"""Tests that links between documents lead to existing files and headings, and that the book lists all of its pages."""

import re
import unittest

from documents import BOOK, ROOT, anchors, documents, links

README_LINES = 150


class Links(unittest.TestCase):
    def test_links_lead_to_files_and_headings(self):
        wrong, count = [], 0
        for document in documents():
            text = document.read_text()
            for link in links(text):
                if re.match(r"[a-z]+:", link):
                    continue
                count += 1
                name, _, heading = link.partition("#")
                target = (document.parent / name).resolve() if name else document
                if not target.exists():
                    wrong.append(f"{document.relative_to(ROOT)}: {link}: no such file")
                elif heading and heading not in anchors(target.read_text()):
                    wrong.append(f"{document.relative_to(ROOT)}: {link}: no such heading")
                elif document.parent == BOOK and target.parent != BOOK:
                    wrong.append(f"{document.relative_to(ROOT)}: {link}: leads out of the book")
        self.assertEqual(wrong, [])
        self.assertGreater(count, 20)

    def test_the_book_lists_each_of_its_pages_once(self):
        listed = links((BOOK / "SUMMARY.md").read_text())
        self.assertEqual(sorted(listed), sorted(page.name for page in BOOK.glob("*.md") if page.name != "SUMMARY.md"))

    def test_the_readme_is_short_and_its_first_screen_has_the_licence(self):
        lines = (ROOT / "README.md").read_text().splitlines()
        self.assertLess(len(lines), README_LINES)
        self.assertIn("Licence", "\n".join(lines[:25]))

    def test_a_wrong_link_is_found(self):
        text = "# A heading, with `code` (1)\n[a](b.md) ![c](d.png)\n```sh\n[no](link)\n# no heading\n```\n`[no](link)`"
        self.assertEqual(links(text), ["b.md", "d.png"])
        self.assertEqual(anchors(text), {"a-heading-with-code-1"})


if __name__ == "__main__":
    unittest.main()
