"""What the notebooks say in words of their own is what their cells printed and what the claims found."""

import functools
import re
from pathlib import Path

import nbformat
import pytest

import tinycompress
from tinycompress.data import load
from tinycompress.lecture import report
from tinycompress.lecture.language import prose

ROOT = Path(tinycompress.__file__).parents[1]
FILES = sorted((ROOT / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.skipif(not FILES, reason="the notebooks are not part of an installed package")


@functools.cache
def cells():
    return {cell.id: cell for path in FILES for cell in nbformat.read(path, 4).cells}


def printed(cell):
    """What a cell printed or returned, as text."""
    outputs = cells()[cell].outputs
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


def percents(cell):
    return [float(number) for number in re.findall(r"(\d+(?:\.\d+)?) ?%", printed(cell))]


def right(cell):
    """The accuracies that a cell printed, in percent, by what stands before them in their line."""
    return {
        found[1].strip(): float(found[2])
        for found in re.finditer(r"^(.*?)\s{2,}.*?(\d+\.\d) ?%", printed(cell), re.MULTILINE)
    }


@functools.cache
def claim(name):
    return report.read(ROOT / "figures", name)


def verdicts(name):
    return [finding.verdict for finding in claim(name).findings]


def ratios(name):
    return claim(name).ratios


def means(name):
    return [finding.mean for finding in claim(name).findings]


def smaller_at_once_than_after_training():
    before, after = percents("4-next2-code")
    return after > before + 1 and verdicts("A5")[1] == "not shown"


def four_bits_do_and_two_do_not():
    (whole,) = percents("3-01")
    four, two = (re.search(rf"{bits}: '.*?per neuron (\S+)%", printed("3-next2-code"))[1] for bits in (4, 2))
    return float(four) > whole - 1 and float(two) < whole - 5


def steps_too_small_and_too_large():
    rates = percents("0-15-found")
    return max(rates[2:4]) == max(rates) > 10 + max(rates[0], *rates[4:])


def file_loses_about_a_point():
    at = right("3-30")
    sizes = [int(size.replace(",", "")) for size in re.findall(r"([\d,]+) bytes", printed("3-30"))]
    return (
        sizes == sorted(sizes, reverse=True)
        and 0.5 < at["float32"] - at["arithmetic"] < 1.5  # other CPUs round otherwise
        and verdicts("Q5") == ["not shown", "supported"]
    )


def as_claim_a4():
    at, (to_standard, _) = right("4-15"), means("A4")
    apart = at["separable"] - at["standard, narrow"]  # a claim that is not shown may not be seen clearly in one net
    return to_standard < 0 and at["separable"] < at["standard"] and (verdicts("A4")[1] != "not shown" or abs(apart) < 2)


def small_enough():
    files = re.findall(r"([\d,]+) bytes, ([\d.]+)%", printed("6-next2-code"))
    return any(int(size.replace(",", "")) < 3000 and float(share) > 95 for size, share in files)


SENTENCES = [  # (cell, what it says, whether that is so)
    (
        "0-02",
        r"$2 \cdot 3 \cdot 2 = 12$ and $2 \cdot 3 = 6$",
        lambda: re.findall(r"\d+\.0", printed("0-03")) == ["12.0", "6.0"],
    ),
    ("0-14", "1,145 images of 8×8 pixels", lambda: load("digits").x_train.shape == (1145, 8, 8, 1)),
    ("0-17", "too small, ten epochs are not enough. If it is too large", steps_too_small_and_too_large),
    (
        "1-p00",
        "the smallest or random ones",
        lambda: (
            all(s > r + 1 for _, s, r in zip(*[iter(percents("1-p01"))] * 3, strict=True))
            and verdicts("P0")[0] == "supported"
        ),
    ),
    (
        "1-07",
        "98 % of the weights are removed",
        lambda: (
            percents("1-08")[::2] == [98, 98, 98]
            and right("1-08")["a little at a time"] > right("1-08")["all at once"] + 1
            and verdicts("P1") == ["supported"]
        ),
    ),
    ("1-25", "if the net can adapt in small steps", lambda: verdicts("P1") == ["supported"]),
    (
        "1-25",
        "scattered zeros save much less time than work",
        lambda: 1 < ratios("P3")["clock"] < ratios("P3")["theory"] / 2,
    ),
    ("1-25", "removing whole neurons saves both", lambda: min(ratios("P4")["clock"], ratios("P4")["theory"]) > 1.5),
    (
        "1-sum",
        "save bytes, and much less time than work",
        lambda: ratios("P1")["disk"] > 2 and ratios("P3")["clock"] < ratios("P3")["theory"] / 2,
    ),
    (
        "1-sum",
        "trains well again from its first values, and much worse from new ones",
        lambda: verdicts("P6")[0] == "supported" and means("P6")[0] > 5,
    ),
    (
        "1-next1",
        "Two seeds may leave open what five decide",
        lambda: "not shown" in printed("1-next1-code") and set(verdicts("P2")) == {"supported"},
    ),
    (
        "2-06",
        "A tenth of the training images",
        lambda: (
            printed("2-07").startswith("115 images; the teacher learned from 1145")
            and right("2-07")["teacher's outputs, T = 5"] > right("2-07")["labels"]
            and verdicts("D1")[0] == "supported"
        ),
    ),
    (
        "2-21",
        "most with few images, and even about classes",
        lambda: means("D1")[0] > means("D1")[1] + 1 and verdicts("D2")[0] == "supported",
    ),
    ("2-21", "That hints for hidden layers add to this is not shown", lambda: "supported" not in verdicts("D5")),
    ("2-sum", "It helps most where images are few", lambda: means("D1")[0] > means("D1")[1] + 1),
    ("2-ask", "With few images, why do they help less?", lambda: verdicts("D1")[2] == "supported"),
    ("3-23", "both take one bit per weight", lambda: printed("3-24").count("in 1.00 bits per weight") == 2),
    (
        "3-26",
        "One seed shows what is learned by heart",
        lambda: percents("3-27")[0] > percents("3-27")[2] and verdicts("Q4b")[-2:] == ["supported"] * 2,
    ),
    (
        "3-file",
        "Every byte counts, and the loaded net makes the same predictions, bit for bit. This file costs about a point",
        file_loses_about_a_point,
    ),
    ("3-35", "three or four bits per weight", four_bits_do_and_two_do_not),
    ("3-next3", "Why is that worse?", lambda: percents("3-next3-code")[1] < percents("3-next3-code")[0] - 1),
    ("4-12", "nearly nine times fewer", lambda: 8 < 1 / (1 / 128 + 1 / 9) < 9),
    ("4-14", "Three nets, trained for the same number of epochs", as_claim_a4),
    ("4-18", "brings back more, and claim A5 leaves open whether all", smaller_at_once_than_after_training),
    (
        "4-ask",
        "Multiplications fall by nine, the time by less",
        lambda: 8 < 1 / (1 / 128 + 1 / 9) and ratios("A3")["clock"] < ratios("A3")["theory"] < 9,
    ),
    (
        "5-10",
        "first quarter, half, three quarters, or all",
        lambda: "trained = (0.25, 0.5, 0.75, 1.0)" in cells()["5-11"].source,
    ),
    ("5-18", "that most images can leave early", lambda: ratios("Y1")["theory"] > 2),
    (
        "5-ask",
        "The count falls eightfold, and the clock hardly",
        lambda: int(ratios("Y1")["theory"]) == 8 and ratios("Y1")["clock"] < 1.5,
    ),
    (
        "6-sum",
        "Counting, disk and clock are three numbers",
        lambda: ratios("C1")["clock"] < min(ratios("C1")["theory"], ratios("C1")["disk"]) / 2,
    ),
    ("6-next2", "below 3,000 bytes and above 95 %", small_enough),
]
GIVEN = {  # sizes that the text chooses, or supposes, rather than reports
    "1-14": "95 % of the weights are gone",
    "1-ask": "A layer has 80 % zeros",
    "3-26": "at 10 or 20 %, too",
}
REPORTS = re.compile(r"\d[\d,.]* ?(%|bytes|images|points)|\w+fold\b|times (fewer|smaller|faster|slower)|fall by")


@pytest.mark.parametrize(
    ("cell", "words", "holds"), SENTENCES, ids=[f"{cell}: {words[:30]}" for cell, words, _ in SENTENCES]
)
def test_what_a_notebook_says_is_what_was_measured(cell, words, holds):
    assert words in " ".join(prose.lines(cells()[cell].source)), "it no longer says so: check what it says now"
    assert holds(), f"{cell} says {words!r}, and the outputs or the claim do not"


def test_every_number_that_a_notebook_reports_is_checked():
    checked = [(cell, words) for cell, words, _ in SENTENCES] + list(GIVEN.items())
    for name, cell in cells().items():
        if cell.cell_type != "markdown" or name.endswith(("-words", "-before")):
            continue
        for line in prose.lines(cell.source):
            for sentence in re.split(r"(?<=[.?!:]) ", line):
                if REPORTS.search(prose.MARKUP.sub(" ", sentence)):
                    assert any(name == at and words in line for at, words in checked), f"{name}: {sentence}"
