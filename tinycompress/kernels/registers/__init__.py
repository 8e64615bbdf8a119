"""The vocabulary in which fast kernels are written: tiles of vector registers (`tile.py` explains them) and strips."""
