"""The status page in a real Chromium: live under traffic, asked about tokens, on a phone, and without JavaScript."""

import contextlib
import itertools
import re
import socket
import threading

import pytest

from browser import Browser  # which skips all where there is no Selenium
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from harness.endpoint import Endpoint
from harness.server import REPOSITORY, Server, free_port
from harness.tokens import token_name
from harness.world import World

RESULTS = REPOSITORY / "build/test-results"
WAIT_S = 60


@pytest.fixture(scope="module")
def world():
    return World()


class Site:
    """A server with everything that the page can show: issuers with keys, without, and whose fetches fail."""

    def __init__(self, world, directory):
        self.world = world
        self.dead = socket.create_server(("127.0.0.1", 0))  # a provider that never answers
        port, admin_port = free_port(), free_port()
        lost = {
            "issuer": "https://lost.example.com",
            "jwks_url": f"http://127.0.0.1:{self.dead.getsockname()[1]}/jwks",
            "allow_http": True,
            "fetch_timeout": "1s",
            "algorithms": ["RS256"],
            "audience": "any",
        }
        config = world.config(
            listen=[{"address": f"127.0.0.1:{port}"}],
            admin={"address": f"127.0.0.1:{admin_port}"},
            issuers=[*world.issuers(), lost],
            ready="any",
        )
        self.endpoints = [Endpoint(protocol, ("127.0.0.1", port)) for protocol in ("h1", "h2c")]
        self.url = f"http://127.0.0.1:{admin_port}/"
        self.admin = Endpoint("h1", ("127.0.0.1", admin_port))
        self.server = Server(directory, config, world.files, [self.endpoints[0].address, self.admin.address])

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop()
        self.dead.close()

    def ask(self, rounds=20):
        """Tokens of every kind, so that no table is empty; each good one but the first comes from the cache."""
        good = self.world.token("ES256")
        bad = [self.world.token(exp=1), self.world.token(key=self.world.stranger["rsa"]), self.world.token(issuer="https://who.example.com")]
        for endpoint, client in itertools.product(self.endpoints, (self.world.private, self.world.rfc)):
            with endpoint.connect() as connection:
                for _ in range(rounds):
                    endpoint.introspect(good, client, connection=connection)
                for token in bad:
                    endpoint.introspect(token, client, connection=connection)
        self.endpoints[0].request("GET", "/nothing")
        return bad

    @contextlib.contextmanager
    def traffic(self):
        is_over = threading.Event()

        def run():
            while not is_over.wait(0.1):
                self.ask(10)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


@pytest.fixture
def site(world, directory):
    with Site(world, directory) as site:
        yield site


def until(browser, is_true):
    return WebDriverWait(browser.driver, WAIT_S).until(lambda _: is_true())


def number(text):
    return float(re.match(r"[\d,.]+", text)[0].replace(",", ""))


def explain(browser, token, client_id):
    Select(browser.driver.find_element(By.ID, "client")).select_by_value(client_id)
    browser.driver.find_element(By.ID, "token").send_keys(token)
    browser.driver.find_element(By.CSS_SELECTOR, "#explain button").click()


def test_numbers_are_live(site):
    site.ask()
    with Browser(1280) as browser:
        browser.driver.get(site.url)
        assert browser.text("state") == "ready"
        with site.traffic():
            until(browser, lambda: browser.text("rate-time").startswith("the last") and number(browser.text("rate")) > 1)
            until(browser, lambda: 0 < number(browser.text("ratio")) < 100)
            until(browser, lambda: browser.text("cached-p99").endswith("s") and browser.text("verified-p99").endswith("s"))
            before = browser.text("requests")
            until(browser, lambda: browser.text("requests") != before)
            until(browser, lambda: len(browser.driver.find_element(By.CSS_SELECTOR, "#history polyline").get_attribute("points").split()) > 5)
        until(browser, lambda: browser.text("rate") == "0.0")
        assert browser.text("cached-p50") == "–" and browser.text("ratio") == "–"
        assert browser.complaints() == []
        assert browser.hosts_asked() == {site.url.split("/")[2]}


def test_a_token_is_explained(site, world):
    good, bad = world.token("ES256"), world.token(exp=1)
    with Browser(1280) as browser:
        browser.driver.get(site.url)
        explain(browser, good, world.rfc.client_id)
        until(browser, lambda: browser.text("explained").startswith("active"))
        said = browser.text("explained")
        assert token_name(good) in said and "Acme" not in said and '"active": true' in said
        assert browser.driver.find_element(By.ID, "token").get_property("value") == ""
        explain(browser, bad, world.private.client_id)
        until(browser, lambda: browser.text("explained").startswith("inactive"))
        assert "expired" in browser.text("explained") and "HTTP 401" in browser.text("explained")
        for token in (good, bad):
            assert token.split(".")[1] not in browser.driver.page_source
        assert browser.complaints() == []


def test_a_token_that_holds_markup_is_shown_as_text(site, world):
    hostile = "<img src=x onerror=document.title='owned'>"
    with Browser(1280) as browser:
        browser.driver.get(site.url)
        explain(browser, world.token("ES256", header={"kid": hostile}, sub=hostile), world.rfc.client_id)
        until(browser, lambda: "unknown_key" in browser.text("explained"))
        assert hostile in browser.text("explained")
        site.endpoints[0].introspect(world.token("ES256", header={"kid": hostile}), world.rfc)
        until(browser, lambda: hostile in browser.text("recent"))
        assert browser.driver.title == "introspectd: ready" and browser.complaints() == []


def test_a_server_that_is_gone_is_noticed(world, directory):
    with Browser(1280) as browser:
        with Site(world, directory) as site:
            browser.driver.get(site.url)
            until(browser, lambda: browser.text("rate-time").startswith("the last"))
        until(browser, lambda: browser.text("trouble").startswith("No answer since"))


@pytest.mark.parametrize("width, is_dark", [(1280, False), (1280, True), (390, False), (390, True), (320, False)])
def test_screenshot(site, world, width, is_dark):
    site.ask()
    with Browser(width, is_dark=is_dark) as browser:
        browser.driver.get(site.url)
        with site.traffic():
            until(browser, lambda: browser.driver.find_element(By.ID, "history").get_property("innerHTML").count(",") > 13)
            explain(browser, world.token("ES256"), world.rfc.client_id)
            until(browser, lambda: browser.text("explained").startswith("active"))
        assert browser.overflow() == 0
        RESULTS.mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(RESULTS / f"status-page-{width}-{'dark' if is_dark else 'light'}.png")
        assert browser.complaints() == []


def test_numbers_without_javascript(site, world):
    bad = site.ask()
    with Browser(1280, has_javascript=False) as browser:
        browser.driver.get(site.url)
        assert "ready" in browser.text("state")
        assert browser.text("rate-time") == "since the start" and number(browser.text("rate")) > 0
        assert browser.text("requests").splitlines()[0] == "Requests: 93"
        assert token_name(bad[0]) in browser.text("recent")
        explain(browser, bad[0], world.rfc.client_id)
        until(browser, lambda: browser.driver.current_url.endswith("/explain"))
        assert browser.text("explained").startswith("inactive") and "expired" in browser.text("explained")
        assert browser.driver.find_element(By.ID, "token").text == ""
        assert browser.complaints() == []
