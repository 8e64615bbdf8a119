"""In a real browser: JupyterLab opens the pruning notebook, a slider moves, a question is answered; and slides fit the screen.

Runs where Chromium and its driver are installed (Debian: chromium, chromium-driver). The screenshots stay in pytest's
temporary folder, for looking at.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from browser import chromium, needs_chromium
from waiting import LONG, wait_for

import tinycompress
from tinycompress.lecture.notebooks import KERNEL, page

NOTEBOOK = Path(tinycompress.__file__).parents[1] / "notebooks" / "1_pruning.ipynb"
pytestmark = [
    needs_chromium,
    pytest.mark.skipif(not NOTEBOOK.exists(), reason="the notebooks are not part of an installed package"),
]


def up_to_the_first_slider(notebook):
    """The notebook as someone opens it who has not run it yet, and without the cells that no one waits for here."""
    last = next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith("explore("))
    notebook.cells = notebook.cells[: last + 1]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


@contextmanager
def jupyter_lab(folder):
    """The address of a JupyterLab of our own, which shows `folder` and leaves no trace elsewhere."""
    with socket.socket() as free:  # if somebody takes it in between, JupyterLab takes another
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR")
    private = {name: str(folder / "jupyter" / name) for name in (*places, "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += [f"--ServerApp.port={port}", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
    environment = os.environ | private | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)

    def port_of_it():
        """Where it answers, once it does."""
        assert server.poll() is None, (folder / "server.log").read_text()
        try:
            (info,) = Path(private["JUPYTER_RUNTIME_DIR"]).glob("jpserver-*.json")
            port = json.loads(info.read_text())["port"]
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token={token}", timeout=LONG).close()
        except (OSError, ValueError):  # not yet, or only half
            return None
        return port

    try:
        port = wait_for("JupyterLab answers", port_of_it)
        yield f"http://127.0.0.1:{port}/lab/tree/slider.ipynb?token={token}"
    finally:
        server.terminate()  # it ends its kernels
        try:
            server.wait(LONG)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


MEASURE = """
document.querySelector(".slides").style.zoom = arguments[0];  // as reveal.js fits 1280×720 into the window
document.body.classList.add("measuring");
const found = [...document.querySelectorAll(".slides section")].filter(s => !s.querySelector("section")).map(s => ({
  words: s.innerText.trim().slice(0, 60), height: s.scrollHeight, width: s.scrollWidth,
  notes: s.querySelectorAll("aside.notes").length,
  high: s.getBoundingClientRect().height, wide: s.getBoundingClientRect().width,
  zoom: Number(s.querySelector(".whole").style.zoom),
  pictures: [...s.querySelectorAll("img")].map(i => i.getBoundingClientRect().height),
  broken: [...s.querySelectorAll(".highlight pre")].filter(e => {
    const high = e.getBoundingClientRect().height;
    e.classList.add("unbroken");
    const low = e.getBoundingClientRect().height;
    e.classList.remove("unbroken");
    return high > low + 2;
  }).map(e => e.innerText),
  scrolls: [...s.querySelectorAll("*")].some(
    e => e.scrollHeight > e.clientHeight + 3 && /auto|scroll/.test(getComputedStyle(e).overflowY)),
}));
document.body.classList.remove("measuring");
return found;
"""


FITTED = "return leaves().every(slide => slide.querySelector('.whole')?.style.zoom)"
SCREENS = [(1280, 720), (1366, 768)]


def write_slides(path, folder):
    """The notebook's slides, in `folder`."""
    from nbconvert import SlidesExporter
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader(str(path.with_name("nbconvert_config.py"))).load_config()
    html, _ = SlidesExporter(config=config).from_filename(str(path))
    (folder / "slides.html").write_text(html, encoding="utf-8")


@pytest.mark.parametrize("path", sorted(NOTEBOOK.parent.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_slide_scrolls_or_is_cut(path, tmp_path):
    pytest.importorskip("selenium")
    write_slides(path, tmp_path)
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in nbformat.read(path, 4).cells]
    with chromium(tmp_path, "--host-resolver-rules=MAP * ~NOTFOUND") as browser:
        for width, height in SCREENS:
            screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
            browser.get((tmp_path / "slides.html").as_uri())
            wait_for("the slides are fitted", lambda: browser.execute_script(FITTED))
            slides = browser.execute_script(MEASURE, min(width / 1280, height / 720))
            assert len(slides) >= kinds.count("slide") + kinds.count("subslide")
            for slide in slides:
                assert slide["high"] <= height and slide["wide"] <= width + 1 and not slide["scrolls"], slide
                assert slide["height"] <= 720 and slide["width"] <= 1280 and slide["notes"] == 1, slide
                assert slide["zoom"] >= 0.8, f"too much for one slide: {slide}"
                assert all(picture >= 320 for picture in slide["pictures"]), slide
                assert slide["broken"] == [], slide


# Formulas that nbconvert sets anew when their slide comes, and then are as high as `formula` says.
FORMULAS = """
window.MathJax = {Hub: {Config() {}, Queue() {}, Register: {MessageHook: (name, set) => { window.set = set; }}}};
"""
GROWS = """
const slide = leaves()[1], formula = document.createElement("div");
formula.style.height = "300px";
slide.querySelector(".whole").firstElementChild.append(formula);
set(["End Rerender", slide]);
document.body.classList.add("measuring");
const high = slide.getBoundingClientRect().height;
document.body.classList.remove("measuring");
return high;
"""
ENLARGED = """
const zooms = () => leaves().map(slide => slide.querySelector(".whole").style.zoom);
const before = zooms(), slides = document.querySelector(".slides");
slides.style.zoom = 1.4;
fitAll(leaves());
slides.style.zoom = 1;
slides.style.transform = "scale(0.7)";
const after = zooms();
fitAll(leaves());
return [before, after, zooms()];
"""


def test_slides_fit_whatever_the_screen_and_again_when_their_formulas_come(tmp_path):
    pytest.importorskip("selenium")
    write_slides(NOTEBOOK.with_name("2_distillation.ipynb"), tmp_path)
    with chromium(tmp_path, "--host-resolver-rules=MAP * ~NOTFOUND") as browser:
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": FORMULAS})
        browser.get((tmp_path / "slides.html").as_uri())
        wait_for("the slides are fitted", lambda: browser.execute_script(FITTED))
        before, larger, smaller = browser.execute_script(ENLARGED)
        assert before == larger == smaller and len(set(before)) > 3
        assert 600 < browser.execute_script(GROWS) <= 720


BROKEN = """
return [...document.querySelectorAll(".jp-RenderedMarkdown pre")].filter(
  e => e.getBoundingClientRect().height > 1.6 * 16 * e.innerText.trimEnd().split("\\n").length).map(e => e.innerText);
"""


def test_on_a_phone_code_keeps_its_lines_and_the_page_its_width(tmp_path):
    pytest.importorskip("selenium")
    from nbconvert import HTMLExporter
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader(str(NOTEBOOK.with_name("nbconvert_config.py"))).load_config()
    html, _ = HTMLExporter(config=config).from_filename(str(NOTEBOOK))
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    with chromium(tmp_path, "--host-resolver-rules=MAP * ~NOTFOUND") as browser:
        screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        browser.get((tmp_path / "page.html").as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
        assert browser.execute_script(BROKEN) == []


SLIDERS = """
from matplotlib.figure import Figure
from tinycompress.lecture.blackboard import explore

explore(
    lambda width, height: Figure(figsize=(width, height), dpi=80),
    {"width": [2, 3, 4], "height </script>": {"<low>": 1, "high": 2}},
    alt="an empty figure",
    stills=[(3, 1)],
)
"""


def test_in_an_exported_page_a_slider_moves_without_a_kernel(tmp_path):
    pytest.importorskip("selenium")
    from nbformat.v4 import new_code_cell, new_notebook
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    nbformat.write(new_notebook(cells=[new_code_cell(SLIDERS)], metadata={"kernelspec": KERNEL}), tmp_path / "a.ipynb")
    before = (tmp_path / "a.ipynb").read_bytes()
    written = page(tmp_path / "a.ipynb", tmp_path / "pages")
    assert (tmp_path / "a.ipynb").read_bytes() == before
    with chromium(tmp_path, "--host-resolver-rules=MAP * ~NOTFOUND") as browser:
        browser.get(written.as_uri())
        (picture,) = browser.find_elements(By.CSS_SELECTOR, ".frames img")
        width, height = browser.find_elements(By.CSS_SELECTOR, ".frames input")

        def shows(*size):
            measured = "return [arguments[0].naturalWidth, arguments[0].naturalHeight]"
            WebDriverWait(browser, LONG).until(lambda b: b.execute_script(measured, picture) == [80 * n for n in size])

        def move(slider, place):
            moved = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
            browser.execute_script(moved, slider, place)

        shows(3, 1)
        assert picture.get_attribute("alt") == "an empty figure"
        move(width, 2)
        shows(4, 1)
        move(height, 1)
        shows(4, 2)
        move(width, 0)
        shows(2, 2)
        words = [shown.text for shown in browser.find_elements(By.CSS_SELECTOR, ".frames output")]
        assert words == ["2", "high"]


def run_all(browser, wait, address):
    """Open the notebook at this address and run its cells, once the kernel is ready."""
    browser.get(address)
    idle = (
        "const p = window.jupyterapp?.shell.currentWidget; return p?.sessionContext?.session?.kernel?.status == 'idle'"
    )
    wait.until(lambda b: b.execute_script(idle), "no kernel started")
    browser.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")


def test_in_jupyterlab_a_moved_slider_changes_the_picture(tmp_path):
    pytest.importorskip("jupyterlab")
    pytest.importorskip("selenium")
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.wait import WebDriverWait

    nbformat.write(up_to_the_first_slider(nbformat.read(NOTEBOOK, 4)), tmp_path / "slider.ipynb")
    with jupyter_lab(tmp_path) as address, chromium(tmp_path) as browser:
        wait = WebDriverWait(browser, LONG)
        run_all(browser, wait, address)
        (picture,) = wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "img.widget-image"), "no picture came")
        handle, label = (
            wait.until(lambda b, found=found: b.find_element(By.CSS_SELECTOR, found), "no slider came")
            for found in (".noUi-handle", ".widget-readout")
        )
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", picture)
        wait.until(
            lambda b: b.execute_script("return arguments[0].naturalWidth", picture) > 500, "the picture is empty"
        )
        before, source, text = picture.screenshot_as_png, picture.get_attribute("src"), label.text
        browser.save_screenshot(str(tmp_path / "before.png"))
        handle.send_keys(Keys.ARROW_LEFT)
        wait.until(lambda b: picture.get_attribute("src") != source, "the slider moved, but the picture did not change")
        wait.until(lambda b: b.execute_script("return arguments[0].complete", picture))
        after = picture.screenshot_as_png
        browser.save_screenshot(str(tmp_path / "after.png"))
        assert (text, label.text) == ("90%", "80%") and after != before


def test_in_jupyterlab_a_click_answers_and_only_then_shows_the_figure(tmp_path):
    pytest.importorskip("jupyterlab")
    pytest.importorskip("selenium")
    from nbformat.v4 import new_code_cell, new_notebook
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    cell = new_code_cell('from tinycompress.lecture.cells.predict import predict\n\npredict("P3")')
    nbformat.write(new_notebook(cells=[cell], metadata={"kernelspec": KERNEL}), tmp_path / "slider.ipynb")
    (tmp_path / "figures").mkdir()
    shutil.copy(NOTEBOOK.parents[1] / "figures" / "claims.json", tmp_path / "figures")
    with jupyter_lab(tmp_path) as address, chromium(tmp_path) as browser:
        wait = WebDriverWait(browser, LONG)
        run_all(browser, wait, address)
        buttons = wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "button.jupyter-button"), "no question came")
        browser.save_screenshot(str(tmp_path / "asked.png"))
        assert len(buttons) == 4 and not browser.find_elements(By.CSS_SELECTOR, ".jp-OutputArea img")
        buttons[0].click()
        picture = wait.until(lambda b: b.find_element(By.CSS_SELECTOR, ".jp-OutputArea img"), "no figure came")
        wait.until(lambda b: b.execute_script("return arguments[0].naturalWidth", picture) > 500, "the figure is empty")
        browser.save_screenshot(str(tmp_path / "answered.png"))
        words = browser.find_element(By.CSS_SELECTOR, ".jp-Notebook").text
        assert "Measured:" in words and "supported" in words and "contradicted" in words
