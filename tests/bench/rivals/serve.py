"""serve.py NAME OPTIONS: runs the rival of that name; a line of JSON in, a line of JSON out, until the input ends."""

import importlib
import json
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCH), str(BENCH.parent / "fixtures")]


def main():
    name, options = sys.argv[1], json.loads(sys.argv[2])
    import torch

    torch.set_num_threads(options.pop("threads"))
    torch.set_grad_enabled(False)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    rival = importlib.import_module(f"rivals.{name}").Rival(**options)
    print(json.dumps(rival.version), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(rival, request.pop("what"))(**request)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
