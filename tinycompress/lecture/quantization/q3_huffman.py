"""Claim Q3: Huffman codes for the values and gaps of a pruned and clustered net."""

import numpy as np

from ... import data
from ...nn.weighted import effective
from ...pruning import prunable, prune_gradually
from ...quantization import cluster_weights, entropy, huffman_code
from ...quantization.coding.arithmetic import Encoder
from ...quantization.coding.huffman import code_lengths, decode, encode
from ...quantization.tcz.arrays import shortest_gaps
from ...workshop.interval import seed_band
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect
from ..images.shares import accuracy_on
from ..learned import must_have_learned
from .nets import PLANS, dense_net, plan_for, train_more


def measure_q3(data_name: str, budget: str, seed: int) -> list[dict]:
    """Bits of a pruned and clustered net in three codes, their bound, and whether decoding returns the encoded symbols.

    One row per layer for the values of the weights left, and one for their positions.
    """
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    rng = np.random.default_rng([seed, 3])
    net = dense_net(data_name, plan, seed).copy()

    def fine_tune(model, _):
        train_more(model, dataset, plan, seed, plan.lrs[0], epochs=max(1, plan.more // plan.steps))

    cluster_weights(prune_gradually(net, plan.removed, plan.steps, fine_tune), plan.k, "linear", rng)
    must_have_learned("the pruned net", accuracy_on(net, dataset.test), dataset)
    rows = []
    for name, layer in prunable(net).items():
        weight = effective(layer, "weight")
        matrix = weight.reshape(-1, weight.shape[-1])
        _, width, channels = dataset.image_shape
        rows_apart = (channels, width * channels) if name == "1" else (0, 0)  # distances of neighbouring pixels
        values = np.unique(matrix[matrix != 0])
        for stream in ("values", "positions"):
            row = _in_codes(matrix, values, stream, rows_apart)
            rows.append({"seed": seed, "layer": name, "stream": stream, "weights": int((matrix != 0).sum())} | row)
            if stream == "values":
                code = list(map(list, huffman_code(row["counts"]).items()))
                rows[-1] |= {"values": values, "code": code}
    return rows


def _in_codes(matrix, values, stream: str, rows_apart) -> dict:
    """Bits of one stream in each code, all in total; table: the lengths of Huffman's codes, 4 bits each."""
    mask = matrix != 0
    indices = np.searchsorted(values, matrix[mask])
    if stream == "values":
        fixed = len(indices) * max(1, (len(values) - 1).bit_length())
        symbols, k = indices, len(values)
    else:  # gaps, or a bit per weight where that is shorter
        (gaps, bits), (symbols, g) = (
            shortest_gaps(mask.ravel(), coding) or (mask.ravel().astype(int), 1) for coding in ("fixed", "huffman")
        )
        fixed, k = len(gaps) * bits, 2**g
    counts = np.bincount(symbols, minlength=k)
    lengths = code_lengths(counts)
    coded = encode(symbols, lengths)
    return {
        "symbols": len(symbols),
        "fixed": fixed,
        "huffman": int(counts @ lengths.astype(int)),
        "table": 4 * k,
        "entropy": entropy(counts) * len(symbols),
        "arithmetic": _arithmetic_bits(mask, indices, stream, k, rows_apart),
        "exact": bool(np.array_equal(decode(coded, lengths, len(symbols)), symbols)),
        "counts": counts if stream == "values" else [],
    }


def _arithmetic_bits(mask, indices, stream, k, rows_apart) -> int:
    code = Encoder()
    if stream == "positions":
        code.positions(mask, rows_apart)
    else:
        symbols = np.zeros(mask.shape, np.int64)
        symbols[mask] = indices
        code.symbols(symbols, mask, k, rows_apart)
    return 8 * len(code.finish())


def bits_by_code(rows, *parts: str, **where) -> float:
    """Bits per weight left of these parts ("fixed", or "huffman" and "table"), values and positions together.

    where: field=value keeps only these rows.
    """
    chosen = [row for row in rows if all(row[field] == value for field, value in where.items())]
    weights = {
        (row["seed"], row["layer"]): row["weights"] for row in rows if row["seed"] in {r["seed"] for r in chosen}
    }
    return sum(row[part] for row in chosen for part in parts) / sum(weights.values())


def effect_q3(rows):
    """Per seed, the bits (%) that Huffman's code saves, its tables counted; False if a decoded stream differs or a
    code beats its bound."""
    for row in rows:
        bound = row["entropy"]
        if not row["exact"] or not bound - 1e-6 <= row["huffman"] <= bound + row["symbols"]:
            return False
    seeds = sorted({row["seed"] for row in rows})
    return [
        100 * (1 - bits_by_code(rows, "huffman", "table", seed=s) / bits_by_code(rows, "fixed", seed=s)) for s in seeds
    ]


def where_larger(rows) -> str:
    """The layers and streams for which the tables cost more than the codes save."""
    layers, found = list(dict.fromkeys(row["layer"] for row in rows)), []
    for i, layer in enumerate(layers):
        for stream in ("values", "positions"):
            chosen = [row for row in rows if (row["layer"], row["stream"]) == (layer, stream)]
            if sum(row["huffman"] + row["table"] - row["fixed"] for row in chosen) > 0:
                found.append(f"the {stream} of layer {i + 1}")
    return f"longer than the fixed-length code, because of its tables: {', '.join(found) or 'nowhere'}"


def ratios_q3(rows):
    """Bits of the fixed-length code over those of Huffman's, with and without its tables."""
    fixed = bits_by_code(rows, "fixed")
    return {"theory": fixed / bits_by_code(rows, "huffman"), "disk": fixed / bits_by_code(rows, "huffman", "table")}


CODES = (
    ("fixed", "fixed length", "rival"),
    ("huffman", "Huffman", "claim"),
    ("arithmetic", "arithmetic", "other"),
)


def q3(rows):
    """The code tree of one layer's values, and the bits per weight in three codes beside their bound."""
    fig = figure(ncols=2, width=17, height=6.5, width_ratios=(1.4, 1))
    left, right = fig.axes
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    shown = next(row for row in rows if row.get("code") and row["layer"] == layers[1])
    _draw_tree(left, dict(map(tuple, shown["code"])), shown["counts"], shown["values"])
    left.set_title(f"The values of layer 2 ({shown['weights']:,} weights) in Huffman's code")
    _draw_bits(right, rows)
    return fig


def _draw_bits(ax, rows):
    """Draw bits per weight as stacked bars, and the entropy as a line: it bounds the codes that it goes through."""
    for place, (code, _, role) in enumerate(CODES):
        parts = [("values", code, 1.0), ("positions", code, 0.55)]
        if code == "huffman":
            parts.append((None, "table", 0.25))
        bottom = 0.0
        for stream, part, alpha in parts:
            bits = bits_by_code(rows, part, **({"stream": stream} if stream else {}))
            ax.bar(place, bits, 0.5, bottom, color=COLORS[role], alpha=alpha)
            if place == 0 or part == "table":
                ax.annotate(
                    stream or "tables",
                    (place + 0.28, bottom + bits / 2),
                    va="center",
                    fontsize=14,
                    annotation_clip=False,
                )
            bottom += bits
        whole = dict.fromkeys(part for _, part, _ in parts)
        by_seed = [bits_by_code(rows, *whole, seed=seed) for seed in sorted({row["seed"] for row in rows})]
        _, low, high = np.nan_to_num(seed_band(by_seed), nan=bottom)
        ax.errorbar(place, bottom, [[bottom - low], [high - bottom]], color="#555555", capsize=5, linewidth=2)
        ax.text(place, high + 0.1, f"{bottom:.2f}", ha="center", fontsize=16)
    bound = bits_by_code(rows, "entropy")
    ax.plot([-0.3, 1.3], [bound, bound], color=COLORS["reference"], linestyle="--", linewidth=2)
    ax.annotate(
        f"entropy\n{bound:.2f}", (0.5, bound), (0, -5), textcoords="offset points", ha="center", va="top", fontsize=13
    )
    ax.set_xticks(range(len(CODES)), [name for _, name, _ in CODES])
    ax.set(ylabel="bits per weight left", xlim=(-0.5, 2.5), ylim=(0, 1.08 * ax.get_ylim()[1]))
    ax.set_title("The whole net in three codes; dashed: their bound")


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
            fontsize=min(13, 180 / len(leaves)),
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
            name="bits that Huffman's code saves over a fixed-length code, values, positions and tables together",
            of=effect_q3,
            unit="%",
            decides=("N22",),
            holds=where_larger,
        ),
    ),
    figure=q3,
    ratios=ratios_q3,
    note="A LeNet-300-100 from which 90 % of the weights were pruned; the weights left have 8 values per layer. Positions are "
    "the gaps between the weights left. Supported: the net takes fewer bits, although Huffman's code needs a table of code "
    "lengths per layer. In a small layer the table can cost more than the codes save. The claim fails if a decoded stream "
    "differs in a single symbol, or if a code beats its entropy, which is not a code but the bound of all codes that treat "
    "symbols as independent. Arithmetic coding may go below, because its probabilities depend on neighbouring symbols.",
    source="Huffman 1952, A Method for the Construction of Minimum-Redundancy Codes; Han et al. 2016",
)
