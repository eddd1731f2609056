"""The shell lines of the CI files of examples/django-shop, and a base class for tests that run them."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path
from unittest.mock import patch

import yaml

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/django-shop"
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
        self.tree = self.dir / "tree"
        git_config = self.dir / "gitconfig"
        git_config.touch()
        self.enterContext(patch.dict(os.environ, GIT_CONFIG_GLOBAL=str(git_config)))
        self.origin = self.create_origin()
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

    def create_origin(self):
        """Creates the repository. Returns its address."""
        origin = self.dir / "origin.git"
        git("init", "--quiet", "--bare", "--initial-branch=main", origin, cwd=self.dir)
        return origin

    def push(self):
        """Commits the tree as another version of the shop."""
        git("add", "--all", cwd=self.tree)
        git("commit", "--quiet", "--message=Change the shop", cwd=self.tree)
        git("push", "--quiet", "origin", "HEAD:main", cwd=self.tree)

    def run_job(self, server, job, code=0, secrets=None):
        """Runs the lines of a job as its server would: in a clean clone, without a terminal."""
        self.clone(self.remote(server))
        shell, lines = SERVERS[server]
        return self.run_script([*shell, "-c", "\n".join(lines()[job])], code, secrets)

    def clone(self, remote):
        """Checks out the latest commit, as a clone of this remote."""
        git("clean", "-ffdxq", "--exclude=/env", cwd=WORKSPACE)
        git("fetch", "--quiet", "--tags", "--force", self.origin, "+refs/heads/*:refs/remotes/origin/*", cwd=WORKSPACE)
        git("remote", "set-url", "origin", remote, cwd=WORKSPACE)
        git("checkout", "--quiet", "--force", "-B", "main", "origin/main", cwd=WORKSPACE)

    def remote(self, server):
        """Returns the address of the repository for the jobs of a server."""
        return self.origin

    def fab(self, *words, secrets=None):
        return self.run_script([FAB, *words], 0, secrets)

    def run_script(self, words, code, secrets):
        settings = {
            "PATH": f"{FAB.parent}:{os.environ['PATH']}",
            "FABRS_TRUST": str(WORKSPACE),
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
        git("fetch", "--quiet", "origin", "+refs/notes/fabrs:refs/notes/fabrs", cwd=self.tree)
        notes = git("notes", "--ref=fabrs", "show", "HEAD", cwd=self.tree)
        records = [json.loads(line) for line in notes.splitlines() if line]
        return [(record["stage"], record["result"]) for record in records]
