"""Chapter 3: parameter quantization. Fewer bits, clusters, Huffman and arithmetic coding, binary weights, and the
.tcz file.

quantize_weights(net, bits=4)        every weight on a grid of 16 numbers; trained on, the net learns to live with it
cluster_weights(net, k=16)           the same with the 16 numbers that fit best
binarize_weights(net)                every weight +a or -a
to_integers(net, images)             a net that computes in integers of 8 bits from end to end
tcz.save(net, "net.tcz")             all of it in few bytes; tcz.load gives a net that predicts the same
"""

from ..training import recalibrate_batch_norm
from . import tcz
from .batch_norm import fold_batch_norm
from .binary import (
    Binarize,
    BinaryConv2d,
    BinaryDense,
    Sign,
    Ternarize,
    binarize_weights,
    pack_binary,
    ternarize_weights,
)
from .clustering import Clustered, Pull, cluster_weights
from .coding import entropy, huffman_bits, huffman_code
from .fake import FakeQuantize, quantize_activations, quantize_biases, quantize_weights
from .grid import Grid, calibrate
from .integer import IntegerNet, to_integers
from .wire import TczError

__all__ = [
    "Binarize",
    "BinaryConv2d",
    "BinaryDense",
    "Clustered",
    "FakeQuantize",
    "Grid",
    "IntegerNet",
    "Pull",
    "Sign",
    "TczError",
    "Ternarize",
    "binarize_weights",
    "calibrate",
    "cluster_weights",
    "entropy",
    "fold_batch_norm",
    "huffman_bits",
    "huffman_code",
    "pack_binary",
    "quantize_activations",
    "quantize_biases",
    "quantize_weights",
    "recalibrate_batch_norm",
    "tcz",
    "ternarize_weights",
    "to_integers",
]
