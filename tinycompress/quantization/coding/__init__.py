"""Codes without loss: Huffman's, as a lecturer shows it and as the file uses it, and arithmetic coding."""

from .as_text import entropy, huffman_bits, huffman_code

__all__ = ["entropy", "huffman_bits", "huffman_code"]
