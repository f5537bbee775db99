"""What the contexts of user functions are made of. `mastra_temporal.context` has the contexts."""
