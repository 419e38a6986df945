"""A headless Chromium that fetches nothing by itself, with all that it writes in a directory of its own."""

import base64
import json
import os
import shutil
import tempfile

import pytest

from machine import need_programs

pytest.importorskip("selenium", reason="not on this machine: python3-selenium (deps/install system)")

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
PAGE_TIMEOUT_S = 60


class Browser:
    """
    driver is Selenium's. With a width under 500 pixels, which no window of Chromium's can have, a phone of that width is shown.
    """

    def __init__(self, width, height=900, has_javascript=True, is_dark=False):
        need_programs("chromium", "chromedriver")
        self.directory = tempfile.mkdtemp(prefix="introspectd-browser-")
        options = Options()
        for flag in (*FLAGS, f"--user-data-dir={self.directory}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.binary_location = shutil.which("chromium")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        if not has_javascript:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        service = Service(shutil.which("chromedriver"), env={**os.environ, "HOME": self.directory, "TMPDIR": self.directory})
        try:
            self.driver = webdriver.Chrome(service=service, options=options)
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        self.driver.set_page_load_timeout(PAGE_TIMEOUT_S)
        self.driver.set_script_timeout(PAGE_TIMEOUT_S)
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        if is_dark:
            features = [{"name": "prefers-color-scheme", "value": "dark"}]
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.driver.quit()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def text(self, element_id):
        return self.driver.find_element("id", element_id).text

    def complaints(self):
        """What the console has: errors of scripts, answers that failed, breaches of the page's policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def hosts_asked(self):
        """Of every request since the last call."""
        urls = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return {url.split("/")[2] for url in urls if url.startswith("http")}

    def overflow(self):
        """By how many pixels the page is wider than the window."""
        return self.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def save_screenshot(self, path):
        """Of the whole page."""
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(shot["data"]))
