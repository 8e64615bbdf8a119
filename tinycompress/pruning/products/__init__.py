"""Products with pruned matrices: CSR for zeros anywhere, blocks for weights that are zero 16 at a time."""
