"""Huffman coding against plain Python, and k-means in one dimension against scikit-learn."""

import numpy as np

from ..quantization.coding.huffman import canonical_codes, code_lengths, decode, encode
from ..quantization.kmeans import kmeans_1d
from .case import Case, Suite, Work

SYMBOLS = 266_200  # the weights of LeNet-300-100, as 64 symbols distributed like trained weights


def draw_symbols(rng, count):
    """Cluster indices (count,), and the lengths of their codes."""
    symbols = np.clip(np.round(8 * rng.standard_normal(count)) + 32, 0, 63).astype(np.uint8)
    return symbols, code_lengths(np.bincount(symbols, minlength=64))


def bit_strings(lengths) -> list[str]:
    """Each symbol's code as a string of 0s and 1s."""
    codes = canonical_codes(lengths)
    return [
        f"{code:0{length}b}" if length else "" for code, length in zip(codes.tolist(), lengths.tolist(), strict=True)
    ]


def as_bytes(data):
    return [np.frombuffer(data, np.uint8)]


def our_encode(rng, count):
    symbols, lengths = draw_symbols(rng, count)
    return {"ours": Work(lambda: encode(symbols, lengths), as_bytes)}


def python_encode(rng, count):
    symbols, lengths = draw_symbols(rng, count)
    symbols, strings = symbols.tolist(), bit_strings(lengths)

    def run():
        bits = "".join([strings[symbol] for symbol in symbols])
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")

    return {"Python": Work(run, as_bytes)}


def our_decode(rng, count):
    symbols, lengths = draw_symbols(rng, count)
    data = encode(symbols, lengths)
    return {"ours": Work(lambda: decode(data, lengths, count))}


def python_decode(rng, count):
    symbols, lengths = draw_symbols(rng, count)
    data = encode(symbols, lengths)
    symbol_of = {string: symbol for symbol, string in enumerate(bit_strings(lengths)) if string}

    def run():
        decoded, code = [], ""
        for bit in bin(int.from_bytes(b"\1" + data, "big"))[3:]:  # the 1 keeps the stream's leading zeros
            code += bit
            symbol = symbol_of.get(code)
            if symbol is not None:
                decoded.append(symbol)
                code = ""
                if len(decoded) == count:
                    break
        return decoded

    return {"Python": Work(run, lambda decoded: [np.array(decoded)])}


def huffman_case(name, goal, ours, python):
    sides, arguments = {"ours": ours, "plain": python}, {"count": SYMBOLS}
    return Case("coding", f"Huffman, {name} {SYMBOLS:,} symbols", goal, sides, arguments, tolerance=0.0)


def draw_weights(rng, count, clusters):
    """Weights (count,) and the centroids that both sides start from: quantiles, so no cluster starts empty."""
    weights = 0.05 * rng.standard_normal(count, np.float32)
    return weights, np.quantile(weights, (np.arange(clusters) + 0.5) / clusters).astype(np.float32)


ITERATIONS = 300


def our_kmeans(rng, count, clusters):
    weights, start = draw_weights(rng, count, clusters)
    return {
        "ours": Work(lambda: kmeans_1d(weights, clusters, start, iterations=ITERATIONS), lambda found: [found.inertia])
    }


def sklearn_kmeans(rng, count, clusters):
    from sklearn.cluster import KMeans

    weights, start = draw_weights(rng, count, clusters)
    # tol=0: stop when nothing moves any more or after the given iterations, as ours does.
    kmeans = KMeans(clusters, init=start[:, None], n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd")
    return {"KMeans": Work(lambda: kmeans.fit(weights[:, None]), lambda fitted: [fitted.inertia_])}


def kmeans_case(clusters):
    count = 1 << 18
    return Case(
        "coding",
        f"k-means, {count:,} weights, {clusters} clusters",
        0.02,
        {"ours": our_kmeans, "scikit-learn": sklearn_kmeans},
        {"count": count, "clusters": clusters},
        most_rounds=3,
    )


SUITES = [
    Suite(
        "coding",
        [
            huffman_case("decode", 1 / 120, our_decode, python_decode),
            huffman_case("encode", 1 / 20, our_encode, python_encode),
            kmeans_case(16),
            kmeans_case(64),
        ],
    )
]
