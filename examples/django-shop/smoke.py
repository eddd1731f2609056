"""Orders an article in a browser: `python smoke.py https://staging.example.com`, or with the address in SHOP_URL.

After a failure, `smoke-failures/` contains a screenshot and the page.
"""

import os
import sys
import uuid
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import text_to_be_present_in_element, title_is
from selenium.webdriver.support.ui import WebDriverWait

FAILURES = Path("smoke-failures")


def order_an_article(browser, url):
    article = f"smoke test {uuid.uuid4()}"
    wait = WebDriverWait(browser, timeout=10)
    browser.get(url)
    wait.until(title_is("The shop"), "the page is not the shop")
    browser.find_element(By.NAME, "article").send_keys(article)
    browser.find_element(By.TAG_NAME, "button").click()
    wait.until(text_to_be_present_in_element((By.TAG_NAME, "ul"), article), f"`{article}` is not listed")


def start_browser():
    options = webdriver.ChromeOptions()
    # Chromium refuses to run as root with its sandbox, and the shared memory of containers is too small.
    for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,700"]:
        options.add_argument(argument)
    return webdriver.Chrome(options, Service("/usr/bin/chromedriver"))


def keep_failure(browser):
    FAILURES.mkdir(exist_ok=True)
    page = FAILURES / "page.html"
    page.write_text(browser.page_source)
    screenshot = FAILURES / "screenshot.png"
    browser.save_screenshot(screenshot)
    print(f"screenshot: {screenshot.resolve()}\npage: {page.resolve()}", file=sys.stderr)


def main():
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ["SHOP_URL"]
    browser = start_browser()
    try:
        order_an_article(browser, url)
    except WebDriverException as error:
        keep_failure(browser)
        sys.exit(f"{url}: {error.msg}")
    finally:
        browser.quit()
    print(f"{url} accepts and lists an order")


if __name__ == "__main__":
    main()
