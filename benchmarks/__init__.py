"""What the project costs, and how fast it recovers: measured side by side on a real server."""
