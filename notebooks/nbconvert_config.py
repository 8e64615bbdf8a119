"""How notebooks become pages and slides: jupyter nbconvert --config notebooks/nbconvert_config.py --to slides notebooks/…"""

from pathlib import Path

c = get_config()  # noqa: F821 nbconvert has it
c.TemplateExporter.extra_template_basedirs = [str(Path(__file__).parent / "templates")]
c.HTMLExporter.template_name = "described"
c.SlidesExporter.template_name = "described_slides"
# Plotting calls: the figure is what a reader wants, and its description stays in the picture.
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_input_tags = {"hide-input"}
# One figure or one piece of code on each slide, and notes for the speaker; the template makes every slide fit.
c.SlidesExporter.preprocessors = ["tinycompress.lecture.slides.prepare"]
c.SlidesExporter.reveal_width = "1280"
c.SlidesExporter.reveal_height = "720"
c.SlidesExporter.reveal_number = "c/t"
c.SlidesExporter.exclude_input_prompt = True
c.SlidesExporter.exclude_output_prompt = True

# Slides load reveal.js from the web. To show them without a network, first run, in this folder:
#     npm install --no-save reveal.js@4.0.2 requirejs@2.3.6 jquery@3.7.1 mathjax@2.7.9
if (Path(__file__).parent / "node_modules").is_dir():
    c.SlidesExporter.reveal_url_prefix = "node_modules/reveal.js"
    c.SlidesExporter.require_js_url = "node_modules/requirejs/require.js"
    c.SlidesExporter.jquery_url = "node_modules/jquery/dist/jquery.min.js"
    c.SlidesExporter.mathjax_url = "node_modules/mathjax/MathJax.js?config=TeX-AMS_CHTML-full,Safe"
