"""Client side: starting, watching, cancelling and restarting runs."""
