"""``python -m tests.chaos [--seed N] [--runs 500]``: random runs under random disasters. The exit status tells."""

import argparse
import asyncio
import faulthandler
import logging
import secrets

from tests.chaos.harness import Report, batch

BATCH = 100
BATCH_SECONDS = 1800
"""A batch that is not over by then prints the stacks of its threads and ends, whatever it hangs in."""


async def main(seed: int, first: int, runs: int) -> int:
    print(f"seed {seed}; again with: python -m tests.chaos --seed {seed} --first {first} --runs {runs}", flush=True)
    whole = Report()
    for start in range(first, first + runs, BATCH):
        faulthandler.dump_traceback_later(BATCH_SECONDS, exit=True)
        part = await batch(seed, start, min(BATCH, first + runs - start))
        whole.done += part.done
        whole.faults += part.faults
    print(whole)
    return 1 if whole.faults else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="what makes the runs and disasters")
    parser.add_argument("--first", type=int, default=0, help="the first run of the seed")
    parser.add_argument("--runs", type=int, default=500)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    raise SystemExit(asyncio.run(main(arguments.seed, arguments.first, arguments.runs)))
