"""The server of the shop. All paths go through `current`, so that at HUP the workers have the release that is live."""

import os

site = os.environ["SHOP"]
bind = f"unix:{site}/shared/shop.sock"
chdir = f"{site}/current"
workers = 2
graceful_timeout = 30
