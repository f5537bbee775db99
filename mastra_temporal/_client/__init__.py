"""Client side: start, watch, resume, cancel and restart runs."""
