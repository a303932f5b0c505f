"""serve.py THREADS: opens rivals and does what they are asked; a line of JSON in, a line of JSON out, until the input ends."""

import gc
import importlib
import itertools
import json
import sys
import traceback
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCH), str(BENCH.parent / "fixtures")]


class Rivals:
    def __init__(self):
        self.open, self.ids = {}, itertools.count()

    def answer(self, what, id=None, **request):
        if what == "open":
            rival = importlib.import_module(f"rivals.{request['name']}").Rival(**request["options"])
            self.open[number := next(self.ids)] = rival
            return number, rival.version
        if what == "close":
            del self.open[id]
            gc.collect()  # its weights lie in cycles
            return None
        return getattr(self.open[id], what)(**request)


def main():
    import torch

    torch.set_num_threads(int(sys.argv[1]))
    torch.set_grad_enabled(False)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    rivals = Rivals()
    print(json.dumps(f"PyTorch {torch.__version__}"), file=answers, flush=True)
    for line in sys.stdin:
        try:
            answer = {"answer": rivals.answer(**json.loads(line))}
        except Exception as error:  # the next path may go on
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
