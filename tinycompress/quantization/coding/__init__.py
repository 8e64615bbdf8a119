"""Lossless coding: Huffman codes, as text for lectures and as bits for files, and arithmetic coding."""

from .as_text import entropy, huffman_bits, huffman_code

__all__ = ["entropy", "huffman_bits", "huffman_code"]
