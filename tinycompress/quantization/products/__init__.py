"""Products with low-bit weights: int8, signs, and 4-bit indices into a codebook; `requantize` rounds sums to 8 bits."""
