"""Commits of the shop on their way to production, on booted machines: `scripts/story test_story`."""

import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path

import yaml
from ci_jobs import EXAMPLE, JOBS, WORKSPACE, CiJobs, git
from mailbox_server import Mailbox
from production import Production
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

sys.path.append(str(EXAMPLE))
from smoke import start_browser

STAGES = [(stage, "passed") for stage in JOBS if stage != "plan"]


class Story(CiJobs):
    """The shop is in production, and has an order. Then developers push commits."""

    def setUp(self):
        self.production = Production()
        self.addCleanup(self.production.close)
        super().setUp()
        self.mailbox = Mailbox(self.dir)
        self.addCleanup(self.mailbox.close)
        key, known_hosts = self.production.key, self.production.known_hosts
        self.files = {"SSH_KEY": key, "SSH_KNOWN_HOSTS": known_hosts, "SMTP_PASSWORD": self.mailbox.password}
        self.texts = {
            "SSH_KEY_TEXT": Path(key).read_text(),
            "SSH_KNOWN_HOSTS_TEXT": Path(known_hosts).read_text(),
            "SMTP_PASSWORD": self.mailbox.password,
        }
        self.write_settings()

    def create_origin(self):
        # Machines know the name `git`. This machine reaches it by a forwarded port.
        forwarded = self.production.url("git", 9418).replace("http://", "git://")
        git("config", "--global", f"url.{forwarded}/.insteadOf", "git://git/", cwd=self.dir)
        return "git://git/shop.git"

    def remote(self, server):
        return "ssh://git/srv/shop.git" if server == "jenkins" else self.origin

    def write_settings(self):
        """Writes the addresses of all machines."""
        (self.tree / "fabrs.toml").write_text(f"""
[vars]
root = "~/shop"
repository = "{self.origin}"
smtp_server = "localhost"
smtp_port = {self.mailbox.port}
smtp_ca = "{self.mailbox.ca}"

[env.staging]
vars.stage = "staging"
vars.url = "{self.production.url("staging")}"
vars.production = "web1"
roles.web = ["staging"]

[env.production]
vars.stage = "production"
vars.graphite = "{self.production.url("monitor", 8088)}"
protected = true
roles.web = ["web1", "web2"]
""")
        with (self.tree / "ci/ssh_config").open("a") as config:
            config.write("    User deploy\n" + self.production.ssh_config())

    def fab(self, *words):
        """Runs fab at the place of a person with all secrets."""
        return super().fab(*words, secrets=self.files)

    def gitlab(self, *words, code=0):
        """Runs jobs of the latest commit with gitlab-ci-local."""
        self.clone(self.origin)
        variables = self.dir / "variables.yml"
        key, known_hosts = [
            {"type": "file", "values": {"*": self.texts[name]}} for name in ["SSH_KEY_TEXT", "SSH_KNOWN_HOSTS_TEXT"]
        ]
        secrets = {"SSH_KEY": key, "SSH_KNOWN_HOSTS": known_hosts, "SMTP_PASSWORD": self.mailbox.password}
        variables.write_text(yaml.safe_dump(secrets))
        return self.run_script(
            [
                os.environ["GITLAB_CI_LOCAL"], "--force-shell-executor",
                "--variables-file", os.path.relpath(variables, WORKSPACE),
                "--state-dir", os.path.relpath(self.dir / "gitlab", WORKSPACE), *words,
            ],
            code, {},
        )  # fmt: skip

    def push_change(self, file, text):
        """Adds a text to a file, and pushes the commit."""
        path = self.tree / file
        path.write_text(path.read_text() + text)
        self.push()

    def fingerprint(self, plan):
        [fingerprint] = set(re.findall(r"--yes=([0-9a-f]{16})", plan))
        return fingerprint

    def assert_mail(self, subject):
        """Asserts that one mail has arrived since the last call, with this start of its subject."""
        [mail] = self.mailbox.mails
        self.mailbox.mails.clear()
        self.assertIn(f"Subject: [shop] {subject}", mail)

    def assert_good_build(self, tag):
        git("fetch", "--quiet", "--tags", "origin", cwd=self.tree)
        revisions = git("rev-parse", "HEAD", f"{tag}^{{commit}}", cwd=self.tree).split()
        self.assertEqual(revisions[0], revisions[1])

    def test_commits_reach_production_by_their_stages_and_a_bad_one_is_reverted(self):
        self.push()
        self.the_first_commit_is_deployed_by_a_person()
        self.gitlab_takes_a_commit_to_production()
        self.a_flag_shows_a_feature_to_staff_only()
        self.errors_in_the_log_revert_a_commit_of_github()
        self.failures_in_graphite_revert_a_commit_of_jenkins()
        self.a_person_rolls_back()

    def the_first_commit_is_deployed_by_a_person(self):
        self.clone(self.origin)
        self.fab("--yes", "production", "provision", "setup")
        self.fab("--yes", "production", "deploy", "--revision", "main", "--override-stages", "the first deploy")
        self.assert_mail("production: deployed ")
        self.production.query("db1", "INSERT INTO orders_order (article, comment) VALUES ('a lamp', 'ring for Ann')")

    def gitlab_takes_a_commit_to_production(self):
        [first] = self.production.releases()
        self.push_change("orders/static/orders/style.css", "h1 { color: rgb(0, 100, 0) }\n")
        self.gitlab()
        self.assert_mail("staging: deployed ")
        self.assertEqual(self.records(), STAGES[:-1])
        self.assert_good_build("deployable-1")
        # Staging has the orders of production without their comments, and the order of the smoke test.
        rows = self.production.query("staging", "SELECT article || ': ' || comment FROM orders_order ORDER BY id")
        self.assertEqual(rows[0], "a lamp: ")
        self.assertIn("smoke test ", rows[1])
        self.assertEqual(self.production.query("db1", "SELECT comment FROM orders_order"), ["ring for Ann"])
        self.assertEqual(self.production.releases(), {first})

        # The fingerprint includes all files. Unlike gitlab-ci-local, GitLab cleans the clone before each job.
        fingerprint = self.fingerprint(self.gitlab("plan"))
        self.gitlab("production", "--variable", f"FINGERPRINT={fingerprint[::-1]}", code=1)
        self.assertEqual(self.production.releases(), {first})
        self.gitlab("production", "--variable", f"FINGERPRINT={fingerprint}")
        self.assert_mail("production: deployed deployable-1 ")
        self.assertEqual(self.records(), STAGES)
        self.assertEqual(self.production.deploys_in_graphite("live"), 2)
        with self.browser("web1") as browser:
            heading = browser.find_element(By.TAG_NAME, "h1")
            self.assertEqual(heading.value_of_css_property("color"), "rgba(0, 100, 0, 1)")
            self.assertIn("a lamp, on its way", browser.find_element(By.TAG_NAME, "ul").text)

    def errors_in_the_log_revert_a_commit_of_github(self):
        [live] = self.production.releases()
        self.push_change(
            "shop/wsgi.py", 'if os.uname().nodename == "web1":\n    print("ERROR: no stock", flush=True)\n'
        )
        plan = self.run_stages("github", self.texts)
        self.assert_good_build("deployable-2")
        failed = self.run_job(
            "github", "production", code=1, secrets=self.texts | {"FINGERPRINT": self.fingerprint(plan)}
        )
        self.assertIn("ERROR: no stock", failed)
        self.assert_mail("production: deploy of deployable-2 (")
        self.assertEqual(self.production.releases(), {live})
        self.assertEqual(self.records(), [*STAGES[:-1], ("production", "failed")])
        self.assertEqual(self.production.deploys_in_graphite("failed"), 1)

    def run_stages(self, server, secrets):
        """Runs all jobs of a commit up to the plan for production. Returns the plan."""
        for job in ["unit", "functional"]:
            self.run_job(server, job, secrets=secrets)
        for job in ["staging", "smoke", "plan"]:
            output = self.run_job(server, job, secrets=secrets)
        self.assert_mail("staging: deployed ")
        return output

    def failures_in_graphite_revert_a_commit_of_jenkins(self):
        [live] = self.production.releases()
        git("revert", "--no-edit", "HEAD", cwd=self.tree)
        git("push", "--quiet", "origin", "HEAD:main", cwd=self.tree)
        plan = self.run_stages("jenkins", self.files)
        self.assert_good_build("deployable-3")
        approved = self.files | {"FINGERPRINT": self.fingerprint(plan)}
        self.production.send_failures(40)
        failed = self.run_job("jenkins", "production", code=1, secrets=approved)
        self.assertIn("40 is above the limit 10", failed)
        self.assert_mail("production: deploy of deployable-3 (")
        self.assertEqual(self.production.releases(), {live})

    def a_flag_shows_a_feature_to_staff_only(self):
        self.fab("--yes", "production", "flag", "gift_wrapping", "staff")
        self.production.create_staff("ann", "a long password")
        with self.browser("web1") as browser:
            self.assertEqual(browser.find_elements(By.NAME, "gift_wrapped"), [])
            browser.get(f"{self.production.url('web1')}/login/")
            browser.find_element(By.NAME, "username").send_keys("ann")
            browser.find_element(By.NAME, "password").send_keys("a long password\n")
            self.wait(browser).until(lambda _: browser.find_elements(By.NAME, "gift_wrapped"), "staff sees no feature")
            browser.find_element(By.NAME, "gift_wrapped").click()
            browser.find_element(By.NAME, "article").send_keys("a vase\n")
            self.wait(browser).until(lambda _: "a vase" in browser.page_source, "the order is not listed")
        orders = self.production.query("db1", "SELECT article FROM orders_order WHERE gift_wrapped")
        self.assertEqual(orders, ["a vase"])

    def a_person_rolls_back(self):
        [live] = self.production.releases()
        self.fab("--yes", "production", "rollback")
        self.assert_mail("production: rolled back to ")
        [earlier] = self.production.releases()
        self.assertLess(earlier, live)
        status = self.fab("production", "status")
        self.assertIn(earlier, status)

    @contextmanager
    def browser(self, name):
        """Opens the page of a shop."""
        browser = start_browser()
        try:
            browser.get(self.production.url(name))
            yield browser
        finally:
            browser.quit()

    def wait(self, browser):
        return WebDriverWait(browser, timeout=30)
