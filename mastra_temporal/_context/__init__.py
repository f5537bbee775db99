"""The parts of the contexts of user functions. The contexts themselves are in `mastra_temporal.context`."""
