"""A real browser for tests: Chromium without a window. selenium is imported when it starts, so that tests can skip without it."""

import shutil
from contextlib import contextmanager

import pytest

missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
needs_chromium = pytest.mark.skipif(
    bool(missing), reason=f"needs {' and '.join(missing)} (Debian: chromium, chromium-driver)"
)


@contextmanager
def chromium(folder, *switches):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for switch in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={folder / 'chromium'}",
        "--window-size=1400,1500",
        *switches,
    ):
        options.add_argument(switch)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        # Without a window nothing has the focus, and JupyterLab no current notebook, from Chromium 150 on.
        driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
        yield driver
    finally:
        driver.quit()
