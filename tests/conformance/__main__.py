"""``python -m tests.conformance --cases DIR --out DIR``: performs the cases and writes the records."""

import argparse
import asyncio
import logging
from pathlib import Path

from tests.conformance.runner import JOBS, load, observe, scored, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--cases", type=Path, required=True, metavar="DIR", help="the folder of cases")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the records are written")
    parser.add_argument("--domain", nargs="*", default=[], metavar="NAME", help="only these domains")
    parser.add_argument("--case", metavar="ID", help="only this case")
    parser.add_argument("--only-ops", type=lambda text: set(text.split(",")), metavar="OP,OP", help="as compare.py's")
    parser.add_argument("--jobs", type=int, default=JOBS, metavar="N", help=f"how many at a time (default {JOBS})")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    domains = {
        name: [case for case in cases if scored(case, arguments.only_ops) and arguments.case in (None, case["id"])]
        for name, cases in load(arguments.cases, arguments.domain).items()
    }
    if not any(domains.values()):
        parser.error(f"no cases to perform in {arguments.cases}")
    write(asyncio.run(observe(domains, arguments.jobs)), arguments.out)


if __name__ == "__main__":
    main()
