"""The vocabulary of the fast kernels: tiles of vector registers (explained in `tile.py`) and strips."""
