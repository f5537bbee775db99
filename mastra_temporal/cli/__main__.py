"""``python -m mastra_temporal.cli``: the same as the installed ``mastra-temporal``."""

from mastra_temporal.cli import main

main()
