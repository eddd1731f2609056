"""Runs the shell lines of the CI files of examples/django-shop. Started by scripts/story."""

import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

import yaml
from aiosmtpd.controller import Controller

EXAMPLE = Path(__file__).resolve().parent.parent / "examples/django-shop"
FAB = Path(os.environ["FAB"])
STORY = Path(os.environ["STORY"])
# A fixed path: tasks.rs is compiled once for all jobs and test runs.
WORKSPACE = STORY / "workspace"
JOBS = ["unit", "functional", "staging", "smoke", "plan", "production"]


def github_lines():
    jobs = yaml.safe_load((EXAMPLE / ".github/workflows/deploy.yml").read_text())["jobs"]
    return {
        name: [line for step in job["steps"] for line in step.get("run", "").splitlines()] for name, job in jobs.items()
    }


def gitlab_lines():
    file = yaml.safe_load((EXAMPLE / ".gitlab-ci.yml").read_text())
    jobs = {name: job["script"] for name, job in file.items() if isinstance(job, dict) and "script" in job}
    return {name: file["default"]["before_script"] + script for name, script in jobs.items()}


def jenkins_lines():
    stages = re.findall(r"stage\('([^']+)'\) \{((?:(?!stage\().)*)", (EXAMPLE / "Jenkinsfile").read_text(), re.DOTALL)
    blocks = {name: re.findall(r"sh '''\n(.*?)'''", text, re.DOTALL) for name, text in stages}
    return {name: textwrap.dedent(block[0]).strip().splitlines() for name, block in blocks.items() if block}


# The shell of each server, and the lines of its jobs.
SERVERS = {
    "github": (["bash", "-e"], github_lines),
    "gitlab": (["bash", "-eo", "pipefail"], gitlab_lines),
    "jenkins": (["sh", "-xe"], jenkins_lines),
}


def git(*words, cwd):
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    return subprocess.run(["git", *identity, *words], cwd=cwd, check=True, text=True, stdout=subprocess.PIPE).stdout


class CiJobs(unittest.TestCase):
    """A repository with the shop, and runs of CI jobs in a clone."""

    def setUp(self):
        self.dir = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.origin, self.tree = self.dir / "origin.git", self.dir / "tree"
        git("init", "--quiet", "--bare", "--initial-branch=main", self.origin, cwd=self.dir)
        git("init", "--quiet", self.tree, cwd=self.dir)
        git("remote", "add", "origin", self.origin, cwd=self.tree)
        for name in git("ls-files", cwd=EXAMPLE).splitlines():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(EXAMPLE / name, self.tree / name)
        # The clone of a CI server is kept between its jobs. Unchanged files are not compiled again.
        WORKSPACE.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(WORKSPACE / ".git", ignore_errors=True)
        git("init", "--quiet", WORKSPACE, cwd=self.dir)
        git("remote", "add", "origin", self.origin, cwd=WORKSPACE)
        (WORKSPACE / "env").unlink(missing_ok=True)
        (WORKSPACE / "env").symlink_to(STORY / "env")

    def push(self):
        """Commits the tree as another version of the shop."""
        git("add", "--all", cwd=self.tree)
        git("commit", "--quiet", "--message=Change the shop", cwd=self.tree)
        git("push", "--quiet", "origin", "HEAD:main", cwd=self.tree)

    def run_job(self, server, job, code=0, secrets=None):
        """Runs the lines of a job as its server would: in a clean clone, without a terminal."""
        git("clean", "-ffdxq", "--exclude=/env", cwd=WORKSPACE)
        git("fetch", "--quiet", "--tags", "--force", self.origin, "+refs/heads/*:refs/remotes/origin/*", cwd=WORKSPACE)
        git("remote", "set-url", "origin", self.remote(server), cwd=WORKSPACE)
        git("checkout", "--quiet", "--force", "--detach", "origin/main", cwd=WORKSPACE)
        shell, lines = SERVERS[server]
        return self.run_script([*shell, "-c", "\n".join(lines()[job])], code, secrets)

    def remote(self, server):
        """Returns the address of the repository for the jobs of a server."""
        return self.origin

    def fab(self, *words):
        return self.run_script([FAB, *words], 0, None)

    def run_script(self, words, code, secrets):
        settings = {
            "PATH": f"{FAB.parent}:{os.environ['PATH']}",
            "FABRS_TRUST": str(WORKSPACE),
            "GIT_CONFIG_GLOBAL": "/dev/null",
        }
        env = os.environ | settings | {"FABRS_SSH_CONFIG": "ci/ssh_config"} | (secrets or {})
        ran = subprocess.run(
            words, check=False, cwd=WORKSPACE, env=env, stdin=subprocess.DEVNULL, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.assertEqual(ran.returncode, code, ran.stdout)
        return ran.stdout

    def records(self):
        """Returns the records of the latest commit."""
        notes = git("notes", "--ref=fabrs", "show", "main", cwd=self.origin)
        records = [json.loads(line) for line in notes.splitlines() if line]
        return [(record["stage"], record["result"]) for record in records]


class CiFiles(CiJobs):
    def test_all_servers_run_the_same_lines(self):
        expected = github_lines()
        self.assertEqual(list(expected), JOBS)
        self.assertEqual(gitlab_lines(), expected)
        self.assertEqual(jenkins_lines(), expected)

    def test_each_commit_passes_the_unit_tests_before_the_functional_tests(self):
        self.push()
        self.assertIn("has not passed stage `unit`", self.run_job("gitlab", "functional", code=1))
        self.run_job("github", "unit")
        self.assertIn("Found 14 test(s)", self.run_job("jenkins", "functional"))
        self.assertEqual(self.records(), [("unit", "passed"), ("functional", "passed")])
        self.assertRegex(self.fab("pipeline"), r"passed \S+ \d+s +passed \S+ \d+s +Change the shop")

        form = self.tree / "orders/forms.py"
        form.write_text(form.read_text().replace("forms.ModelForm", "forms.Form"))
        self.push()
        self.assertIn("test_an_order_needs_an_article", self.run_job("gitlab", "unit", code=1))
        self.assertEqual(self.records(), [("unit", "failed")])
        self.assertIn("has not passed stage `unit`: failed at", self.run_job("github", "functional", code=1))

        git("revert", "--no-edit", "HEAD", cwd=self.tree)
        views = self.tree / "orders/views.py"
        views.write_text(views.read_text() + "\n\ndef untested(first, second):\n" + "    first += second\n" * 10)
        self.push()
        self.run_job("jenkins", "unit")
        self.assertIn("less than fail-under", self.run_job("gitlab", "functional", code=1))
        self.assertEqual(self.records(), [("unit", "passed"), ("functional", "failed")])


class Story(CiJobs):
    """A commit on its way to production."""

    def setUp(self):
        super().setUp()
        self.mails = []
        mailbox = Controller(self, hostname="localhost", port=free_port())
        mailbox.start()
        self.addCleanup(mailbox.stop)
        self.start_sshd()
        roots = {name: self.dir / name for name in ["staging", "production"]}
        self.site_port = free_port()
        self.start(
            "socat",
            f"TCP-LISTEN:{self.site_port},bind=127.0.0.1,fork",
            f"UNIX-CONNECT:{roots['staging']}/shared/shop.sock",
        )
        toml = f"[vars]\nrepository = '{self.origin}'\nsmtp_port = {mailbox.port}\n"
        for name, root in roots.items():
            shared = root / "shared"
            shared.mkdir(parents=True)
            settings = f"SECRET_KEY={'a secret of ' * 5}{name}\nDATABASE_URL=sqlite:///{shared}/shop.sqlite3\n"
            (shared / ".env").write_text(settings)
            toml += f"[env.{name}]\nvars.stage = '{name}'\nvars.root = '{root}'\nroles.web = ['{self.host}']\n"
            toml += f"vars.url = 'http://localhost:{self.site_port}'\n" if name == "staging" else "protected = true\n"
            self.addCleanup(end_programs, shared)
        (self.tree / "fabrs.toml").write_text(toml)

    def remote(self, server):
        return f"ssh://{self.host}{self.origin}" if server == "jenkins" else self.origin

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(envelope.content.decode())
        return "250 OK"

    def start(self, *words):
        program = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        self.addCleanup(program.wait)
        self.addCleanup(program.terminate)

    def start_sshd(self):
        key, host_key, known_hosts, config = [
            self.dir / name for name in ["key", "host_key", "known_hosts", "sshd_config"]
        ]
        for file in [key, host_key]:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
        port = free_port()
        config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {key}.pub\n"
            "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        )
        known_hosts.write_text(f"[127.0.0.1]:{port} {Path(f'{host_key}.pub').read_text()}")
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.start(shutil.which("sshd"), "-D", "-e", "-f", config)
        self.host = f"{getpass.getuser()}@127.0.0.1:{port}"
        self.text = {"SSH_KEY_TEXT": key.read_text(), "SSH_KNOWN_HOSTS_TEXT": known_hosts.read_text()}
        self.files = {"SSH_KEY": str(key), "SSH_KNOWN_HOSTS": str(known_hosts)}

    def make_good_build(self, tag):
        """Runs the stages of the latest commit, up to the smoke tests."""
        self.run_job("jenkins", "unit", secrets=self.files)
        self.run_job("github", "functional")
        self.run_job("github", "staging", secrets=self.text)
        self.assertIn("Subject: [shop] staging: deployed ", self.mails.pop())
        # As on GitLab.
        Path(self.files["SSH_KEY"]).chmod(0o666)
        self.assertIn(f"good build: {tag}\n", self.run_job("gitlab", "smoke", secrets=self.files))

    def test_a_commit_reaches_production_by_its_stages_and_an_approval(self):
        self.push()
        self.run_job("jenkins", "unit", secrets=self.files)
        for name in ["staging", "production"]:
            self.run_script([FAB, "--yes", name, "setup"], 0, self.files)
        self.make_good_build("deployable-1")
        # A person makes the first deploy, since its plan does not have the migrations of Django itself.
        self.run_script([FAB, "--yes", "production", "deploy"], 0, self.files)
        self.assertIn("Subject: [shop] production: deployed deployable-1 ", self.mails.pop())

        style = self.tree / "orders/static/orders/style.css"
        style.write_text(style.read_text() + "h1 { color: darkgreen }\n")
        self.push()
        self.make_good_build("deployable-2")
        plan = self.run_job("jenkins", "plan", secrets=self.files)
        [fingerprint] = set(re.findall(r"--yes=([0-9a-f]{16})", plan))
        self.run_job("gitlab", "production", code=1, secrets=self.files | {"FINGERPRINT": fingerprint[::-1]})
        self.run_job("gitlab", "production", code=2, secrets=self.files | {"FINGERPRINT": ""})
        self.assertEqual(self.mails, [])
        self.run_job("github", "production", secrets=self.text | {"FINGERPRINT": fingerprint})
        self.assertIn("Subject: [shop] production: deployed deployable-2 ", self.mails.pop())
        self.assertEqual(self.records(), [(stage, "passed") for stage in JOBS if stage != "plan"])


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def end_programs(shared):
    """Ends the supervisord of a site, and waits for the end."""
    pid_file = shared / "supervisord.pid"
    if pid_file.exists():
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        subprocess.run(["tail", f"--pid={pid}", "-f", "/dev/null"], check=True, timeout=60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
