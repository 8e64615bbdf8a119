"""Products with pruned matrices: CSR for zeros anywhere, blocks for zeros in runs of 16."""
