"""One self-contained HTML page that shows a run: no scripts, nothing loaded from elsewhere."""

import base64
import re
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from ..text import html_table
from ..workshop.interval import MOST_SEEDS
from . import power
from .claim import Claim, Effect, Finding, Result
from .language import language, say
from .notes import SENTENCES
from .plans import plan_name
from .tasks import why_not

RATIOS = ("theory", "disk", "clock")
MARKS = {
    "supported": "✓",
    "exact": "✓",
    "contradicted": "✗",
    "failed": "✗",
    "no difference": "＝",
    "not shown": "○",
    "not measured": "–",
    "not measured here": "–",
}
LONGEST_LIST, MOST_ROWS = 12, 300  # the page shows no more than this; claims.json has everything

INTRODUCTION = (
    "Claims about network compression, each decided by measurements on this machine. A claim is <em>supported</em> if "
    "the 95 % interval of its effect lies above the margin stated beside it, or else above 0 (a ratio: above 1×), "
    "<em>contradicted</em> if it lies below, <em>no difference</em> if it lies within the smallest effect that would "
    "matter, and <em>not shown</em> otherwise, with how many seeds, or how many times as many test images, would decide it if "
    "mean and spread stayed as they are; "
    "<em>not measured</em> if a net that it rests on did no better than guessing, or if there are too few test images. "
    "That smallest effect decides only <em>no difference</em>; a smaller one can be supported. Effects are paired by seed, "
    "so bars may overlap although their difference is clear, and signed so that positive values support the "
    "statement. Intervals say how far other seeds would move an effect and, if it is a share of test images, how far other "
    "images would. × says how many times smaller or faster: in theory (parameters, operations), on disk, and on the "
    "clock. ⚠ marks ratios that disagree."
)


def page(results: Sequence[Result], svgs: dict[str, bytes], machine: dict, settings: dict) -> str:
    """The report as HTML. svgs: claim id -> figure."""
    chapters = [(name, [*members]) for name, members in groupby(results, key=lambda result: result.claim.chapter)]
    body = "".join(
        f'<h2 id="chapter-{i}">{escape(say(chapter.capitalize()))}</h2>\n'
        + "".join(_section(result, svgs[result.claim.id], settings) for result in members)
        for i, (chapter, members) in enumerate(chapters, 1)
    )
    return f"""<!DOCTYPE html>
<html lang="{language()}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>tinycompress: {say("The lecture, measured")}</title>
<style>{Path(__file__).with_name("page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
{_contents(chapters)}
<main>
<h1>{say("The lecture, measured")}</h1>
<p>{say(INTRODUCTION)}</p>
<h2 id="overview">{say("Overview")}</h2>
{_overview(results)}
{body}
<h2 id="settings">{say("Settings and machine")}</h2>
{_facts(settings | machine)}
</main>
</body>
</html>
"""


def effect_text(finding: Finding) -> str:
    """The effect with its interval, unit and what it is compared with, as in "+1.2 points [+0.8, +1.6], margin -0.5".

    A log2 ratio is shown as the ratio, and a share in %. Unless there is a smallest effect, the margin is stated even if it is
    0. If the statement is not shown, which way it leans and what would decide it; from one seed,
    how uncertain its test images alone make it. Rows of an earlier version do not tell how far
    other test images would move it; their interval is over seeds alone, and says so.
    """
    effect, mean, unit = finding.effect, finding.mean, finding.effect.unit
    if isinstance(mean, bool):
        return say("holds" if mean else "does not hold")
    if mean is None:
        return "–"

    most = {"share": 1.0, "points": 100.0}.get(
        unit, float("inf")
    )  # which Student's interval may exceed, but nothing else

    def number(x):
        x = min(max(x, -most), most)
        if unit == "share":
            return f"{100 * x:.3g} %"
        return f"{2**x:.3g}×" if unit == "log2 ×" else f"{round(x, 9) + 0:+.3g}"  # rounding is no effect

    limit = ("equal within" if effect.equal else "matters from") if effect.smallest else "margin"
    words = [f"{limit} {number(effect.smallest or effect.margin).lstrip('+')}"]
    if finding.verdict == "not shown" and not finding.interval:
        if finding.doubt and unit == "points":
            words.append(f"±{finding.doubt:.2g} by the choice of test images alone")
        words.append("from one seed, which cannot say how many would decide it")
    elif finding.verdict == "not shown":
        if (finding.seeds or finding.images) and not (effect.smallest or effect.equal):
            words.append(f"leaning to {'supported' if mean > effect.margin else 'contradicted'}")
        words.append(_what_decides(finding))
    text = number(mean) if unit in ("", "log2 ×", "share") else f"{number(mean)} {say(unit)}"
    interval = f" [{', '.join(map(number, finding.interval))}]" if finding.interval else ""
    if interval and finding.doubt is None:
        words.insert(0, "over seeds alone")
    return text + interval + "".join(say(", ") + say(word) for word in words)


def _what_decides(finding: Finding) -> str:
    """How many seeds or test images would decide what is not shown."""
    seeds = f"about {finding.seeds} seeds" if finding.seeds else ""
    images = f"{finding.images} times as many test images" if finding.images else ""
    if seeds and images:
        return f"{seeds}, or {images}, would decide it"
    if seeds or images:
        return f"{seeds or images} would decide it"
    if finding.doubt:
        return "only more seeds and more test images would decide it"
    return f"more than {MOST_SEEDS} seeds would decide it"


def finding_text(finding: Finding) -> str:
    """The name of the effect, its value if there is one, and from where to where the statement holds."""
    value = "" if finding.mean is None else say(": ") + effect_text(finding)
    return say(finding.effect.name) + value + (say("; ") + say(finding.holds) if finding.holds else "")


def decided_text(claim: Claim, finding: Finding) -> str:
    """`finding_text`, which a claim of several sentences begins with those that this effect decides."""
    sentences = ", ".join(finding.effect.decides) if len(claim.decides) > 1 else ""
    return (sentences + say(": ") if sentences else "") + finding_text(finding)


def marked_verdict(finding: Finding) -> str:
    """The verdict after its mark, so that it can be told without colours."""
    return f"{MARKS[_kind(finding)]} {say(finding.verdict)}"


def _kind(finding: Finding) -> str:
    """The verdict without the reason for which something is not measured."""
    return finding.verdict.partition(":")[0]


def _contents(chapters: list[tuple[str, list[Result]]]) -> str:
    """Links to chapters and claims, these with the marks of their verdicts. On a phone, page.css shows the list once the
    <details> before it is opened; beside a wide page always, which no list inside of a <details> could be without a script.
    """

    def entry(result):
        claim = result.claim
        marks = "".join(
            f' <span class="{_class(finding)}" role="img" aria-label="{words}" title="{words}">{MARKS[_kind(finding)]}</span>'
            for finding in result.findings
            for words in [escape(say(finding.verdict))]
        )
        return f'<li><a href="#{escape(claim.id)}">{escape(claim.id)} {escape(say(claim.title))}</a>{marks}</li>\n'

    parts = "".join(
        f'<li><a href="#chapter-{i}">{escape(say(chapter.capitalize()))}</a>\n<ul>\n{"".join(map(entry, members))}</ul></li>\n'
        for i, (chapter, members) in enumerate(chapters, 1)
    )
    return f"""<nav id="contents" aria-label="{say("Contents")}">
<details><summary>{say("Contents")}</summary></details>
<ul>
<li><a href="#overview">{say("Overview")}</a></li>
{parts}<li><a href="#settings">{say("Settings and machine")}</a></li>
</ul>
</nav>
<a class="up" href="#contents" aria-label="{say("Contents")}">↑</a>"""


def _overview(results: Sequence[Result]) -> str:
    """A row per claim; on a phone each row is a card, whose cells say which column they are (data-label)."""
    names = [f"{say(name)} ×" for name in RATIOS]
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row"><a href="#{escape(r.claim.id)}">{escape(r.claim.id)}</a> {escape(say(r.claim.title))}</th><td>'
        + "".join(f"<div>{_badge(f)} <span>{escape(effect_text(f))}</span></div>" for f in r.findings)
        + "</td>"
        + "".join(
            f'<td data-label="{label}">{f"{r.ratios[name]:.3g}" if name in r.ratios else "–"}</td>'
            for name, label in zip(RATIOS, names, strict=True)
        )
        + f"<td>{''.join(f'<div>⚠ {escape(say(words))}</div>' for words in r.disagreements)}</td></tr>\n"
        for r in results
    )
    return f"""<table class="overview">
<thead><tr><th scope="col">{say("claim")}</th><th
scope="col">{say("verdict")}, {say("effect [95 % interval]")}</th>{head}<th scope="col">{say("disagreements")}</th></tr></thead>
<tbody>
{rows}</tbody></table>"""


def _section(result: Result, svg: bytes, settings: dict) -> str:
    claim = result.claim
    flags = "".join(f'<p class="flag">⚠ {escape(say(words))}</p>\n' for words in result.disagreements)
    source = _small(say("Further reading") + say(": ") + claim.source) if claim.source else ""
    trained = _small(say(f"Trained by the plan “{_plan(claim, settings)}”.")) if claim.plans else ""
    seeds = other_seeds(result, settings)
    numbers = say(f"The numbers ({len(result.rows)} rows, {result.seconds:.1f} s of computation)")
    return f"""<section id="{escape(claim.id)}">
<h3>{escape(claim.id)} {escape(say(claim.title))}</h3>
{_small(say(claim.asked_by) + say(":"))}<blockquote>{escape(statement(claim))}</blockquote>
{"".join(_finding(claim, finding) for finding in result.findings)}{flags}{_figure(result, svg)}
{_small(seeds) if seeds else ""}<p>{escape(say(claim.note))}</p>
{source}{trained}<details><summary>{escape(numbers)}</summary>
{_numbers(result)}</details>
</section>
"""


def _plan(claim: Claim, settings: dict) -> str:
    return plan_name(claim.plans, settings["budget"], settings["training_images"], settings.get("channels", 1))


def _figure(result: Result, svg: bytes) -> str:
    """The figure above what it shows. It is its own popover: a click on it, or a key, opens it large and closes it again."""
    claim = result.claim
    caption = "" if why_not(result.rows) else claim.caption  # a figure of words alone says itself why
    size = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)  # told to the browser, so that nothing moves later
    room = f' width="{float(size[1]):.0f}" height="{float(size[2]):.0f}"' if size else ""
    name = f"figure-{escape(claim.id)}"
    words = f"<strong>{say('What you see')}{say(':')}</strong> {escape(say(caption))}"
    shown = f"\n<figcaption>{words}</figcaption>" if caption else ""
    return f"""<figure id="{name}" popover>
<div><img src="data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"{room} alt="{escape(described(result))}"><button
type="button" popovertarget="{name}" aria-label="{escape(say(f"Figure {claim.id}, large"))}"></button></div>{shown}
</figure>"""


def described(result: Result) -> str:
    """The figure's description: its claim, and what was found."""
    claim = result.claim
    found = say(". ").join(
        decided_text(claim, finding) + say("; ") + say(finding.verdict) for finding in result.findings
    )
    return f"{ended(say(f'Figure of claim {claim.id}, {claim.title}.'))} {found}{_stop()}"


def ended(head: str) -> str:
    """Without a full stop behind the question mark of a title."""
    return head.replace("?.", "?").replace("？。", "？")


def statement(claim: Claim) -> str:
    """What the claim decides: in Chinese, sentences of the notes are quoted in their own words, if they have any."""
    if language() == "zh" and claim.decides:
        texts = [SENTENCES[name].text or say(SENTENCES[name].english) for name in claim.decides]
        return "；".join([text.rstrip("。") for text in texts[:-1]] + texts[-1:])
    return say(claim.statement)


def _small(text: str) -> str:
    return f'<p class="source">{escape(text)}</p>\n'


def _finding(claim: Claim, finding: Finding) -> str:
    words = decided_text(claim, finding)
    return f"<p>{_badge(finding)} <strong>{escape(words[0].upper() + words[1:])}{_stop()}</strong></p>\n"


def _stop() -> str:
    return "。" if language() == "zh" else "."


def other_seeds(result: Result, settings: dict) -> str:
    """What other seeds said of a quick lecture on digits, for which this was measured; "" for other settings."""
    said = list(seeds_of_effects(result, settings).values())
    which = "" if len(said) < 2 else say("each effect: ") if len(set(said)) == 1 else say("effect by effect: ")
    words = which + say("; ").join(said[:1] if len(set(said)) == 1 else said)
    return f"{say('Other seeds')}{say(': ')}{words}{_stop()}" if said else ""


def seeds_of_effects(result: Result, settings: dict) -> dict[str, str]:
    """The same for each effect that was measured, by its name."""
    if (settings.get("budget"), settings.get("data")) != ("quick", "digits"):
        return {}
    effects = {effect.name: effect for effect in result.claim.effects}
    entries = [entry for entry in power.read(Path(power.__file__).parent) if entry["claim"] == result.claim.id]
    return {entry["effect"]: _sets(entry, effects) for entry in entries if entry["effect"] in effects}


def _sets(entry: dict, effects: dict[str, Effect]) -> str:
    """Such as "borderline: 13 of 20 sets of 5 seeds not shown, 7 supported (all 100 seeds together, on the same images:
    supported, +0.4 points)".

    What all seeds say stands wherever those of one set leave it open: there, too, where nearly all sets say "not shown".
    """
    (first, count), *others = entry["verdicts"].items()
    sets = len(entry["means"])
    words = say(f"{count} of {sets} sets of {entry['seeds'] // sets} seeds {first}") + "".join(
        f"{say(', ')}{n} {say(word)}" for word, n in others
    )
    stands = power.stands(entry)
    if stands and first != "not shown":
        return words
    all_seeds = entry["together"]
    finding = Finding(effects[entry["effect"]], all_seeds["verdict"], all_seeds["mean"], all_seeds["interval"])
    together = say(f"all {entry['seeds']} seeds together, on the same images")
    head = "" if stands else say("borderline") + say(": ")
    found = together + say(": ") + say(finding.verdict) + say(", ") + effect_text(finding)
    return head + words + say(" (") + found + say(")")


def _badge(finding: Finding) -> str:
    return f'<span class="{_class(finding)}">{escape(marked_verdict(finding))}</span>'


def _class(finding: Finding) -> str:
    return _kind(finding).replace(" ", "-")


def _numbers(result: Result) -> str:
    """The rows, in a box of their own that scrolls, also by the keyboard."""
    rows = result.rows
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = html_table(names, ([_cell(row.get(name)) for name in names] for row in rows[:MOST_ROWS]))
    more = f"<p>{say(f'and {len(rows) - MOST_ROWS} more, in claims.json')}</p>" if len(rows) > MOST_ROWS else ""
    label = escape(say(f"The numbers of claim {result.claim.id}"))
    return f'<div class="wide" role="region" tabindex="0" aria-label="{label}">{table}</div>{more}'


def _cell(value) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list | dict) and len(value) > LONGEST_LIST:
        return f"{len(value)} values"
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return "–" if value is None else str(value)


def _facts(facts: dict) -> str:
    pairs = "".join(
        f"<dt>{escape(say(name.replace('_', ' ')))}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items()
    )
    return f"<dl>{pairs}</dl>"
