"""Products with low-bit weights: int8, signs, and 4-bit indices into a codebook; `requantize.py` rounds sums to 8 bits."""
