"""Settings of gunicorn. `chdir` is `current`, so that HUP starts workers of the live release."""

import os

site = os.environ["SHOP"]
bind = f"unix:{site}/shared/shop.sock"
chdir = f"{site}/current"
workers = 2
graceful_timeout = 30
