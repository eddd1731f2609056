"""A mail server with TLS and a login."""

import socket
import ssl
import subprocess

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Mailbox:
    """Receives mail on a port of localhost, from a client with TLS and the right password."""

    password = "open sesame"

    def __init__(self, directory):
        self.mails = []
        self.port = free_port()
        self.ca = directory / "ca.pem"
        certificate, key = create_certificate(directory)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self.controller = Controller(
            self, hostname="localhost", port=self.port, tls_context=context, require_starttls=True,
            auth_required=True, authenticator=self.log_in,
        )  # fmt: skip
        self.controller.start()

    def log_in(self, server, session, envelope, mechanism, login):
        # `handled=False`: the server answers a wrong password itself.
        return AuthResult(success=login.password == self.password.encode(), handled=False)

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(envelope.content.decode())
        return "250 OK"

    def close(self):
        self.controller.stop()


def create_certificate(directory):
    """Creates an authority, and a certificate for localhost. Returns the paths of certificate and key."""
    elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    request = ["-out", "mail.csr", "-keyout", "mail.key"]
    for words in [
        ["req", "-x509", *elliptic, "-subj", "/CN=authority", "-days", "2", "-out", "ca.pem", "-keyout", "ca.key"],
        ["req", *elliptic, *names, *request],
        ["x509", "-req", "-in", "mail.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
         "-copy_extensions", "copy", "-days", "2", "-out", "mail.pem"],
    ]:  # fmt: skip
        subprocess.run(["openssl", *words], cwd=directory, check=True, stderr=subprocess.DEVNULL)
    return directory / "mail.pem", directory / "mail.key"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
