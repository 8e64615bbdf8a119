"""Grading: hand-ins collected, graded, and written down."""
