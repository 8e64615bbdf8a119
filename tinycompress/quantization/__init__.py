"""Chapter 3: parameter quantization. Fewer bits per weight, down to one small file.

    grids                quantize_weights, quantize_biases, quantize_activations (FakeQuantize: with further training, the
                         net adapts to rounding); calibrate and Grid for arrays; fold_batch_norm, recalibrate_batch_norm
    integers             to_integers: a net that computes in 8 bits from end to end
    clusters             cluster_weights (Clustered): the k values that fit best; Pull draws weights to them in training;
                         pack_codebook: 8 times smaller in memory, weights looked up while multiplying
    binary, ternary      binarize_weights, ternarize_weights, Sign; pack_binary: 32 times smaller, multiplied as bits
    codes                huffman_code, huffman_bits, entropy
    the file             tcz.save and tcz.load: a pruned, clustered and coded net that predicts the same, bit for bit

Quantization works in place, through parametrizations, and composes with pruning: exact zeros stay zeros.

>>> import tempfile
>>> import numpy as np
>>> from tinycompress import models, pruning, quantization
>>> net = models.lenet_300_100((8, 8, 1), 10, rng=np.random.default_rng(0))
>>> net = quantization.cluster_weights(pruning.prune_weights(net, 0.9), k=8)
>>> sorted({len(np.unique(layer.weight.data)) for layer in pruning.prunable(net).values()})  # eight values, and 0
[9]
>>> folder = tempfile.TemporaryDirectory()
>>> contents = quantization.tcz.save(net, f"{folder.name}/net")
>>> contents.ratio > 20  # times smaller than float32
True
>>> same = quantization.tcz.load(f"{folder.name}/net")
>>> x = np.random.default_rng(1).standard_normal((5, 8, 8, 1), np.float32)
>>> bool((same(x).data == net(x).data).all())
True
>>> folder.cleanup()
"""

from ..text import names
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
from .codebook import CodebookDense, pack_codebook
from .coding.as_text import entropy, huffman_bits, huffman_code
from .fake import FakeQuantize, quantize_activations, quantize_biases, quantize_weights
from .grid import Grid, calibrate
from .integers.convert import IntegerNet, to_integers
from .tcz.wire import TczError

__all__ = [
    "Binarize",
    "BinaryConv2d",
    "BinaryDense",
    "Clustered",
    "CodebookDense",
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
    "pack_codebook",
    "quantize_activations",
    "quantize_biases",
    "quantize_weights",
    "recalibrate_batch_norm",
    "tcz",
    "ternarize_weights",
    "to_integers",
]

names.answer()
