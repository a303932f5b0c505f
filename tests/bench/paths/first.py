"""From opening a page to its first score, the weights in the browser's cache, against transformers.js with weights of the same size."""

from compare import EXACT, same
from material import PATCHES, bundle, photos, transformers_js, views_as_png
from report import Row
from rival import Browser
from setting import Wrong, in_turns

NOTE = "fp32, both towers, one view and five texts, one thread; transformers.js is given token ids and loads no tokenizer"


def run(setting):
    size = setting.pick("two-and-two", "vit-b-32")
    own, theirs = bundle(setting, size, "f32", *PATCHES, "--crops", "1"), transformers_js(setting, size)
    image = photos(setting, 33)[0]
    with Browser(setting.www, model=own, rival=theirs, photos=image.parent, views=views_as_png(setting, image)) as browser:
        visits = {name: browser.ask(what="visit", name=page) for name, page in (("ours", "first-ours"), ("transformers.js", "first-rival"))}
        row = Row("first", f"{size}, CPU", "s", 1, at_least={"transformers.js": 1.0}, note=NOTE)
        row.compared.append(same("transformers.js", visits["ours"]["p"], visits["transformers.js"]["p"], EXACT))
        weights = min(visit["sent"] for visit in visits.values())

        def seconds(page):
            visit = browser.ask(what="visit", name=page)
            if visit["sent"] > weights / 2:
                raise Wrong(f"{page}: the server sent {visit['sent']} bytes again, so the weights were not in the cache")
            return visit["seconds"]

        yield row.timed(in_turns(setting.rounds, {"ours": lambda: seconds("first-ours"), "transformers.js": lambda: seconds("first-rival")}))
