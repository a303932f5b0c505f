"""Measures each path side by side with what a user would pick instead, and writes one report.

Rivals and we take turns on the same images, weights and views; results are compared before anything is timed. A result that
is wrong fails the run, a slow one never does. The first line of each module in `paths` says what it measures.
"""

import argparse
import dataclasses
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
# Those whose time is that of the command line's kernels, which `--isa` limits; and those of them that the quick form measures
# a second time, in what every processor has.
KERNELS = ["tower", "quantised", "whole", "text"]
TWICE = ["tower", "quantised"]


def measurements(options):
    """Each path and the instruction set that it is limited to; None is all that the processor has."""
    isas, limited = ([None, "portable"], TWICE) if options.quick else ([None], [])
    if options.isa:
        isas, limited = options.isa, KERNELS
    return [(path, isa) for path in options.only or PATHS for isa in (isas if path in limited else [None])]


def arguments(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainer", type=Path, help="the command line's binary")
    parser.add_argument("folder", type=Path, help="keeps weights and images, and gets report.json and report.md")
    parser.add_argument("--only", action="append", choices=PATHS, metavar="PATH", help=f"one of {', '.join(PATHS)}; again for more")
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds, the same comparisons")
    parser.add_argument("--isa", action="extend", type=lambda text: text.split(","), metavar="NAME",
                        help="limit the paths of the command line's kernels to an instruction set, as `trainer score --isa` does; again or with commas for more")
    parser.add_argument("--threads", type=lambda text: [int(part) for part in text.split(",")], help="default: 1,2; quick: 1")
    parser.add_argument("--rounds", type=int, help="default: 5; quick: 2")
    parser.add_argument("--www", type=Path, default=ROOT / "www/dist", help="the built page")
    return parser.parse_args(words)


def main():
    options = arguments()
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
    for path, isa in measurements(options):
        start, name = time.perf_counter(), f"{path}, {isa}" if isa else path
        try:
            for row in importlib.import_module(f"paths.{path}").run(dataclasses.replace(setting, isa=isa)):
                run["results"].append(row)
                report.write(options.folder, run)
        except NotMeasured as why:
            run["results"].append(report.Row(path, "", "", isa=isa).left_out(why))
        except Wrong as why:
            run["failed"][name] = str(why)
        except Exception as error:  # the other paths go on
            traceback.print_exc()
            run["failed"][name] = f"{type(error).__name__}: {error}"
        run["seconds"][name] = round(time.perf_counter() - start, 1)
        report.write(options.folder, run)
        print(f"{name}: {run['seconds'][name]:.0f} s{', FAILED: ' + run['failed'][name] if name in run['failed'] else ''}", file=sys.stderr)
    print((options.folder / "report.md").read_text())
    print(f"wrote {options.folder / 'report.md'} and report.json", file=sys.stderr)
    sys.exit(bool(run["failed"]))


if __name__ == "__main__":
    main()
