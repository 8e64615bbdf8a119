"""A figure with sliders as a piece of a web page, which needs no kernel: it brings a picture for every position along."""

import base64
import html
import itertools
import json
import math
from collections.abc import Callable, Mapping

MOST = 150  # pictures in one figure; with more positions, the sliders have fewer stops

FRAMES = """<div class="frames">
{controls}
<img alt="{alt}" src="{first}" style="max-width: 100%">
<script>
(() => {{
  const box = document.currentScript.parentElement, image = box.querySelector("img");
  const pictures = {pictures}, labels = {labels}, sliders = [...box.querySelectorAll("input")];
  const show = () => {{
    let place = 0;
    sliders.forEach((slider, i) => {{
      place = place * labels[i].length + Number(slider.value);
      slider.nextElementSibling.textContent = labels[i][slider.value];
    }});
    image.src = "data:image/png;base64," + pictures[place];
  }};
  sliders.forEach(slider => slider.addEventListener("input", show));
}})();
</script>
</div>"""
CONTROL = """<label style="display: block; font-family: sans-serif">{name}
<input type="range" min="0" max="{last}" value="{at}" style="width: min(60%, 30rem); vertical-align: middle">
<output>{label}</output></label>"""


def frames(drawn: Callable[..., bytes], options: Mapping[str, Mapping], start: tuple, alt: str) -> str:
    """HTML of the picture that drawn(value, ...) returns as a PNG, below a slider per option, name -> {label: value}.

    start: the values at which the sliders stand at first.
    """
    stops = _few([list(labels.items()) for labels in options.values()], start)
    places = [[value for _, value in found].index(value) for found, value in zip(stops, start, strict=True)]
    pictures = [base64.b64encode(drawn(*(value for _, value in place))).decode() for place in itertools.product(*stops)]
    controls = [
        CONTROL.format(name=html.escape(name), last=len(found) - 1, at=at, label=html.escape(found[at][0]))
        for name, found, at in zip(options, stops, places, strict=True)
    ]
    first = base64.b64encode(drawn(*start)).decode()
    return FRAMES.format(
        controls="\n".join(controls),
        alt=html.escape(alt),
        first=f"data:image/png;base64,{first}",
        pictures=json.dumps(pictures),
        labels=json.dumps([[label for label, _ in found] for found in stops]).replace("<", "\\u003c"),
    )


def _few(stops: list[list[tuple]], start: tuple) -> list[list[tuple]]:
    """The (label, value) pairs of each slider; every second of the longest while there are more than MOST positions, but always
    the one to start at."""
    while math.prod(map(len, stops)) > MOST:
        i = max(range(len(stops)), key=lambda i: len(stops[i]))
        stops[i] = [pair for place, pair in enumerate(stops[i]) if place % 2 == 0 or pair[1] == start[i]]
    return stops
