"""Random runs under random disasters: nothing is lost, nothing finished runs again, no result is wrong."""
