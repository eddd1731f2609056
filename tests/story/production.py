"""Booted machines with the shop: a repository, staging, two web servers of production, their database, and Graphite."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from ci_jobs import STORY

MACHINES = [
    "git=git:git",
    "staging=postgres:postgresql",
    "db1=postgres:postgresql",
    "web1",
    "web2",
    "monitor=graphite:graphite-carbon,graphite-web,gunicorn,git,curl",
]
PORTS = ["git:9418", "staging:80", "web1:80", "web2:80", "monitor:8088"]
SHOPS = ["staging", "web1", "web2"]

# The web application of Graphite, with its database.
GRAPHITE = """
printf "SECRET_KEY='graphite'\\nTIME_ZONE='UTC'\\n" >> /etc/graphite/local_settings.py
su -s /bin/sh _graphite -c 'graphite-manage migrate --run-syncdb --skip-checks -v0'
systemd-run --quiet --unit graphite-web --uid=_graphite --setenv GRAPHITE_SETTINGS_MODULE=local_settings \
    gunicorn --workers 1 --bind 0.0.0.0:8088 --pythonpath /etc/graphite graphite.wsgi
"""

# A repository for clients of the git protocol.
REPOSITORY = """
git init --quiet --bare --initial-branch=main --shared=0666 /srv/shop.git
chown -R deploy: /srv/shop.git
systemd-run --quiet --unit git-daemon --uid=deploy git daemon --base-path=/srv --export-all --enable=receive-pack
"""

ROLE = "CREATE ROLE shop LOGIN PASSWORD 'not-for-us'"
DATABASE = "CREATE DATABASE shop OWNER shop TEMPLATE template0 ENCODING 'UTF8'"
# Clients on other machines reach the database of production.
LISTEN = """
cd /etc/postgresql/15/main
echo "listen_addresses = '*'" > conf.d/listen.conf
echo 'host shop shop samenet scram-sha-256' >> pg_hba.conf
systemctl restart postgresql@15-main
"""


class Production:
    """The machines, from their boot to `close`."""

    def __init__(self):
        self.process = subprocess.Popen(
            [os.environ["FABRS_MACHINES_BIN"], *MACHINES, *PORTS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.network = json.loads(self.process.stdout.readline())
        self.key, self.known_hosts = self.network["identity"], self.network["known_hosts"]
        self.run("git", REPOSITORY)
        self.run("monitor", GRAPHITE)
        for name in ["staging", "db1"]:
            self.run(
                name,
                "cd /\n" + shlex.join(["runuser", "-u", "postgres", "--", "psql", "-qX", "-c", ROLE, "-c", DATABASE]),
            )
        self.run("db1", LISTEN)
        for name in SHOPS:
            disk = Path(self.network["machines"][name]["disk"])
            shutil.copytree(STORY / "wheels", disk / "srv/wheels")
            # The machines reach no package index.
            (disk / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /srv/wheels\n")
            server = "db1" if name != "staging" else "localhost"
            settings = f"SECRET_KEY={'a secret of ' * 5}{name}\nDATABASE_URL=postgres://shop:not-for-us@{server}/shop\n"
            self.run(name, "mkdir -p shop/shared && umask 077 && cat > shop/shared/.env", "deploy", settings)

        self.send_failures(0)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def run(self, name, script, user="root", stdin=""):
        """Runs a script on a machine. Returns its stdout."""
        address, port = self.network["machines"][name]["ssh"].split(":")
        options = [f"UserKnownHostsFile={self.known_hosts}", f"Port={port}", "LogLevel=ERROR", "BatchMode=yes"]
        words = ["ssh", "-F", "none", "-i", self.key, *[f"-o{option}" for option in options], f"{user}@{address}"]
        ran = subprocess.run([*words, f"set -e\n{script}"], check=True, input=stdin, stdout=subprocess.PIPE, text=True)
        return ran.stdout

    def query(self, name, sql):
        """Returns the rows of a query of the shop's database on a machine."""
        url = "postgres://shop:not-for-us@localhost/shop"
        return self.run(name, shlex.join(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql, url])).splitlines()

    def ssh_config(self):
        """Returns the part of an ssh config with the machines."""
        hosts = self.network["machines"].items()
        lines = "Host {}\n    HostName 127.0.0.1\n    Port {}\n"
        return "".join(lines.format(name, host["ssh"].partition(":")[2]) for name, host in hosts)

    def url(self, name, port=80):
        """Returns the URL of a port of a machine, on this machine."""
        return f"http://localhost:{self.network['forwards'][f'{name}:{port}'].partition(':')[2]}"

    def get(self, name, path, port=80):
        """Returns the text of a page."""
        with urlopen(self.url(name, port) + path, timeout=30) as page:
            return page.read().decode()

    def releases(self):
        """Returns the releases in the pages of the web servers."""
        return {re.search(r"release (\d+)", self.get(name, "/"))[1] for name in ["web1", "web2"]}

    def create_staff(self, name, password):
        """Creates an account of a member of staff."""
        create = "import sys; from django.contrib.auth.models import User; "
        create += f"User.objects.create_user('{name}', password=sys.stdin.readline().strip(), is_staff=True)"
        manage = shlex.join(["env/bin/python", "manage.py", "shell", "--command", create])
        self.run("web1", f"cd shop/current && {manage}", "deploy", f"{password}\n")

    def send_failures(self, count):
        """Sends a number of failed payments to Graphite, until its render API has the number."""
        send = f"echo shop.failures {count} $(date +%s) > /dev/tcp/127.0.0.1/2003"
        while f"[{count:.1f}, " not in self.get("monitor", "/render?target=shop.failures&format=json", 8088):
            self.run("monitor", shlex.join(["bash", "-c", send]))

    def deploys_in_graphite(self, outcome):
        """Returns the number of deploys in a graph of Graphite's events."""
        target = quote(f'events("shop","deploy","{outcome}")')
        # Graphite fails for an event in the last second of the graph.
        span = f"from=-2h&until={quote('now+5min')}"
        [series] = json.loads(self.get("monitor", f"/render?target={target}&format=json&{span}", 8088))
        return sum(value or 0 for value, _ in series["datapoints"])
