"""Measures each path side by side with what a user would pick instead, and writes one report.

Rivals and we take turns on the same images, weights and views; results are compared before anything is timed. A result that
is wrong fails the run, a slow one never does. The first line of each module in `paths` says what it measures.
"""

import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path

import machine
import report
from setting import ROOT, NotMeasured, Setting, Wrong

# In the order of the report; each is a module of that name in `paths`, whose `run` yields rows.
PATHS = ["tower", "quantised", "whole", "views", "text", "wasm", "webgpu", "first", "size", "growth", "tab"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainer", type=Path, help="the command line's binary")
    parser.add_argument("folder", type=Path, help="keeps weights and images, and gets report.json and report.md")
    parser.add_argument("--only", action="append", choices=PATHS, metavar="PATH", help=f"one of {', '.join(PATHS)}; again for more")
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds, the same comparisons")
    parser.add_argument("--threads", type=lambda text: [int(part) for part in text.split(",")], help="default: 1,2; quick: 1")
    parser.add_argument("--rounds", type=int, help="default: 5; quick: 2")
    parser.add_argument("--www", type=Path, default=ROOT / "www/dist", help="the built page")
    options = parser.parse_args()
    setting = Setting(
        trainer=options.trainer.resolve(), folder=options.folder.resolve() / "material", www=options.www.resolve(),
        threads=options.threads or ([1] if options.quick else [1, 2]), rounds=options.rounds or (2 if options.quick else 5),
        is_quick=options.quick,
    )
    setting.folder.mkdir(parents=True, exist_ok=True)
    run = {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "machine": machine.machine(), "versions": machine.versions(setting.trainer),
        "form": "quick" if setting.is_quick else "full", "rounds": setting.rounds, "results": [], "failed": {}, "seconds": {},
    }
    for path in options.only or PATHS:
        start = time.perf_counter()
        try:
            for row in importlib.import_module(f"paths.{path}").run(setting):
                run["results"].append(row)
                report.write(options.folder, run)
        except NotMeasured as why:
            run["results"].append(report.Row(path, "", "").left_out(why))
        except Wrong as why:
            run["failed"][path] = str(why)
        except Exception as error:  # the other paths go on
            traceback.print_exc()
            run["failed"][path] = f"{type(error).__name__}: {error}"
        run["seconds"][path] = round(time.perf_counter() - start, 1)
        report.write(options.folder, run)
        print(f"{path}: {run['seconds'][path]:.0f} s{', FAILED: ' + run['failed'][path] if path in run['failed'] else ''}", file=sys.stderr)
    print((options.folder / "report.md").read_text())
    print(f"wrote {options.folder / 'report.md'} and report.json", file=sys.stderr)
    sys.exit(bool(run["failed"]))


if __name__ == "__main__":
    main()
