import json
import tempfile
import unittest
from pathlib import Path

import fetch

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2014, The Project http://project.example/
License: GPL-2+

Files: nature/Aqua.jpg
       nature/Lady*.jpg
Copyright: 2008-2010, A. Painter <a@b.example>
           B. Painter, 2018
License: CC-BY-SA-4.0
Comment: See AUTHORS.

Files: debian/*
Copyright: 2020, A. Packager <p@b.example>
License: Expat

License: Expat
 Permission is hereby granted
"""


class Fetch(unittest.TestCase):
    def test_the_last_paragraph_that_names_a_file_says_its_authors_and_licence(self):
        for name in ("Aqua.jpg", "LadyBird.jpg"):
            self.assertEqual(fetch.stated(COPYRIGHT, name), ("A. Painter, B. Painter", "CC-BY-SA-4.0"))
        self.assertEqual(fetch.stated(COPYRIGHT, "Wood.jpg"), ("The Project", "GPL-2+"))

    def test_a_file_that_no_paragraph_names_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "does not cover Wood.jpg"):
            fetch.stated(COPYRIGHT.replace("Files: *", "Files: po/*"), "Wood.jpg")

    def test_names_become_titles(self):
        titles = {"FallenLeaf": "Fallen Leaf", "Bridge_by_A_Painter": "Bridge", "Elephants_3840x2160": "Elephants"}
        for name, title in titles.items():
            self.assertEqual(fetch.title_of(name), title)

    def test_descriptions_of_wallpapers_and_puzzles_are_read(self):
        with tempfile.TemporaryDirectory() as folder:
            images = Path(folder, "Kite/contents/images")
            images.mkdir(parents=True)
            plugin = {"Authors": [{"Name": "A. Painter"}], "License": "LGPLv3", "Name": "Kite"}
            Path(folder, "Kite/metadata.json").write_text(json.dumps({"KPlugin": plugin}))
            self.assertEqual(fetch.described(images / "1x1.jpg"), ("Kite", "A. Painter", "LGPLv3"))
            entries = "[Desktop Entry]\nName=Bee\nX-KDE-PluginInfo-Author=B. Painter\nX-KDE-PluginInfo-License=FDL\n"
            Path(folder, "bee.desktop").write_text(entries)
            self.assertEqual(fetch.described(Path(folder, "bee.jpg")), ("Bee", "B. Painter", "FDL"))
            self.assertIsNone(fetch.described(Path(folder, "wood.jpg")))


if __name__ == "__main__":
    unittest.main()
