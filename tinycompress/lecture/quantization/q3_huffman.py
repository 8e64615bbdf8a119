"""Claim Q3: Huffman codes for the values and gaps of a pruned and clustered net."""

import numpy as np

from ... import data
from ...nn.weighted import effective
from ...pruning import prunable, prune_gradually
from ...quantization import cluster_weights, entropy, huffman_code
from ...quantization.coding.arithmetic import Encoder
from ...quantization.coding.huffman import code_lengths, decode, encode
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect
from .nets import PLANS, dense_net, plan_for, train_more


def measure_q3(data_name: str, budget: str, seed: int) -> list[dict]:
    """Bits per weight of a pruned and clustered net in four codes, and whether decoding returns the encoded symbols."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    rng = np.random.default_rng([seed, 3])
    net = dense_net(data_name, plan, seed).copy()

    def fine_tune(model, _):
        train_more(model, dataset, plan, seed, plan.lrs[0], epochs=max(1, plan.more // plan.steps))

    cluster_weights(prune_gradually(net, plan.removed, plan.steps, fine_tune), plan.k, "linear", rng)
    rows = []
    for name, layer in prunable(net).items():
        weight = effective(layer, "weight")
        matrix = weight.reshape(-1, weight.shape[-1])
        mask = matrix != 0
        _, width, channels = dataset.image_shape
        rows_apart = (channels, width * channels) if name == "1" else (0, 0)  # distances of neighbouring pixels
        values, indices = np.unique(matrix[mask], return_inverse=True)
        gaps = np.minimum(np.diff(np.flatnonzero(mask.ravel()), prepend=-1) - 1, 255)
        for stream, symbols, k in (("values", indices, len(values)), ("gaps", gaps, int(gaps.max()) + 1)):
            counts = np.bincount(symbols, minlength=k)
            lengths = code_lengths(counts)
            data_ = encode(symbols, lengths)
            rows.append(
                {
                    "seed": seed,
                    "layer": name,
                    "stream": stream,
                    "symbols": len(symbols),
                    "fixed": max(1, int(k - 1).bit_length()),
                    "huffman": float(counts @ lengths.astype(int) / len(symbols)),
                    "bytes": len(data_),
                    "entropy": entropy(counts),
                    "arithmetic": _arithmetic_bits(mask, indices, stream, k, rows_apart) / len(symbols),
                    "exact": bool(np.array_equal(decode(data_, lengths, len(symbols)), symbols)),
                    "counts": counts if seed == 0 and stream == "values" else [],
                    "values": values if seed == 0 and stream == "values" else [],
                    "code": list(map(list, huffman_code(counts).items())) if seed == 0 and stream == "values" else [],
                }
            )
    return rows


def _arithmetic_bits(mask, indices, stream, k, rows_apart) -> int:
    code = Encoder()
    if stream == "gaps":
        code.positions(mask, rows_apart)
    else:
        symbols = np.zeros(mask.shape, np.int64)
        symbols[mask] = indices
        code.symbols(symbols, mask, k, rows_apart)
    return 8 * len(code.finish())


def bits_by_code(rows, seed, code: str) -> float:
    """Bits per weight, value and gap together, mean over all weights of this seed's net."""
    chosen = [row for row in rows if row["seed"] == seed]
    weights = sum(row["symbols"] for row in chosen if row["stream"] == "values")
    return sum(row[code] * row["symbols"] for row in chosen) / weights


def effect_q3(rows):
    """Per seed, the share of bits that Huffman's code saves; False if a decoded stream differs or a code beats its bound."""
    for row in rows:
        if not row["exact"] or not row["entropy"] - 1e-9 <= row["huffman"] <= max(1, row["entropy"] + 1):
            return False
    seeds = sorted({row["seed"] for row in rows})
    return [1 - bits_by_code(rows, seed, "huffman") / bits_by_code(rows, seed, "fixed") for seed in seeds]


def ratios_q3(rows):
    """Bits of the fixed-length code over those of Huffman's; the code's own table is small and not counted."""
    bits = np.mean([bits_by_code(rows, seed, "huffman") for seed in {row["seed"] for row in rows}])
    fixed = np.mean([bits_by_code(rows, seed, "fixed") for seed in {row["seed"] for row in rows}])
    return {"theory": float(fixed / bits)}


CODES = (
    ("fixed", "fixed length", "rival"),
    ("huffman", "Huffman", "claim"),
    ("entropy", "entropy", "ideal"),
    ("arithmetic", "arithmetic", "other"),
)


def q3(rows):
    """The code tree of one layer's values, and the bits per weight in four codes."""
    fig = figure(ncols=2, width=17, height=6.5, width_ratios=(1.5, 1))
    left, right = fig.axes
    shown = next(row for row in rows if row["code"] and row["layer"] != rows[0]["layer"])
    _draw_tree(left, dict(map(tuple, shown["code"])), shown["counts"], shown["values"])
    left.set_title(f"Frequent values get short codes ({shown['symbols']:,} weights)")

    seeds = sorted({row["seed"] for row in rows})
    for place, (code, _, role) in enumerate(CODES):
        bottom = 0.0
        for stream, alpha in (("values", 1.0), ("gaps", 0.55)):
            bits = np.mean([_bits(rows, seed, code, stream) for seed in seeds])
            right.bar(place, bits, 0.7, bottom, color=COLORS[role], alpha=alpha)
            if place == 0:
                right.text(
                    place,
                    bottom + bits / 2,
                    {"values": "values", "gaps": "positions"}[stream],
                    ha="center",
                    va="center",
                    fontsize=12,
                    color="white",
                )
            bottom += bits
        right.text(place, bottom + 0.1, f"{bottom:.2f}", ha="center", fontsize=16)
    right.set_xticks(range(len(CODES)), [name for _, name, _ in CODES])
    right.set(ylabel="bits per weight left")
    right.set_title("The whole net in four codes")
    return fig


def _bits(rows, seed, code, stream) -> float:
    chosen = [row for row in rows if row["seed"] == seed]
    weights = sum(row["symbols"] for row in chosen if row["stream"] == "values")
    return sum(row[code] * row["symbols"] for row in chosen if row["stream"] == stream) / weights


def _draw_tree(ax, code: dict[int, str], counts, values):
    """Draw the code tree, its leaves from left to right in the order of their codes, each edge labelled with its bit."""
    leaves = sorted(code, key=lambda symbol: code[symbol])
    place = {code[symbol]: float(i) for i, symbol in enumerate(leaves)}
    # An inner node stands in the middle of its children. The longest prefixes come first, so their places are known.
    inner = {bits[:n] for bits in code.values() for n in range(len(bits))}
    for prefix in sorted(inner, key=lambda bits: (-len(bits), bits)):
        children = [place[prefix + bit] for bit in "01" if prefix + bit in place]
        place[prefix] = sum(children) / len(children)
    for bits, x in place.items():
        if bits:
            above = place[bits[:-1]]
            ax.plot([above, x], [1 - len(bits), -len(bits)], color=COLORS["ideal"], linewidth=2, zorder=1)
            ax.text(
                (above + x) / 2,
                0.5 - len(bits),
                bits[-1],
                fontsize=15,
                ha="center",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
    for symbol in leaves:
        bits = code[symbol]
        share = counts[symbol] / sum(counts)
        ax.plot(place[bits], -len(bits), "o", color=COLORS["claim"], markersize=12 + 60 * share, zorder=2)
        ax.text(
            place[bits],
            -len(bits) - 0.34 - share,
            f"{values[symbol]:+.2f}\n{100 * share:.0f} %\n{bits}",
            ha="center",
            va="top",
            fontsize=13,
        )
    ax.set_ylim(-max(map(len, code.values())) - 1.5, 0.3)
    ax.set_xlim(-0.7, len(leaves) - 0.3)
    ax.set_axis_off()


CLAIM = Claim(
    id="Q3",
    chapter="quantization",
    title="Huffman coding",
    measure=measure_q3,
    plans=PLANS,
    effects=(
        Effect(
            name="bits that Huffman's code saves over a fixed-length code, values and gaps together",
            of=effect_q3,
            unit="share",
            decides=("N22",),
        ),
    ),
    figure=q3,
    ratios=ratios_q3,
    note="The claim fails if a decoded stream differs in a single symbol, or if a code beats its entropy. "
    "Arithmetic coding may go below the entropy shown, which treats symbols as independent, because its "
    "probabilities depend on neighbouring symbols.",
    source="Huffman 1952, A Method for the Construction of Minimum-Redundancy Codes; Han et al. 2016",
)
