"""Products with weights of few bits: int8, signs, and 4-bit indices into a codebook; `requantize` goes back to 8 bits."""
