"""Definitions of steps and workflows as data. The code here needs no server and no event loop."""
