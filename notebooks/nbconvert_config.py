"""How notebooks become pages and slides: jupyter nbconvert --config notebooks/nbconvert_config.py --to slides notebooks/…"""

from pathlib import Path

c = get_config()  # noqa: F821 nbconvert has it
c.TemplateExporter.extra_template_basedirs = [str(Path(__file__).parent / "templates")]
c.HTMLExporter.template_name = "described"
c.SlidesExporter.template_name = "described_slides"
# Room for lines of code and a figure with what it shows; what is longer scrolls.
c.SlidesExporter.reveal_width = "1280"
c.SlidesExporter.reveal_height = "900"
c.SlidesExporter.reveal_scroll = True
