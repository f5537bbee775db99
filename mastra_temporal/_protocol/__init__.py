"""What several rooms speak: envelopes, names, limits, results. Imports none of the rooms."""
