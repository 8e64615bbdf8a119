"""Grade hand-ins, and record and export the results."""
