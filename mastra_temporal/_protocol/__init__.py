"""Shared by workflow, activity and client code: envelopes, names, limits and results. Imports none of those."""
