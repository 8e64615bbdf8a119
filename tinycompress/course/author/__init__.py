"""Exercises for students: what is handed out, as files and notebooks."""
