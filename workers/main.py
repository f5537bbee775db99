"""Run a worker from a checkout of this repository: ``python -m workers.main --app examples.orders:mastra``.

It is the same as the installed command ``mastra-temporal worker``, with the same options and environment variables.
"""

import sys

from mastra_temporal.cli import main

if __name__ == "__main__":
    main(["worker", *sys.argv[1:]])
