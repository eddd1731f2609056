"""A mail server for tests: mail_server.py MODE CERTIFICATE KEY.

MODE is `tls`, `starttls` or `plain`. Each server except `plain` requires a login. Prints its port,
and then one JSON line for each login and each mail.
"""

import asyncio
import json
import logging
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

mode, certificate, key = sys.argv[1:]
# A refused handshake is part of the tests.
logging.disable(logging.CRITICAL)


def report(**facts):
    print(json.dumps(facts), flush=True)


class Handler:
    async def handle_DATA(self, server, session, envelope):
        report(
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            mail=envelope.content.decode(),
            tls=mode == "tls" or session.ssl is not None,
            login=session.authenticated,
        )
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"deploy", b"correct horse")
    report(login_as=data.login.decode(), good=good, tls=mode == "tls" or session.ssl is not None)
    # `handled` would leave the client without an answer to a wrong password.
    return AuthResult(success=good, handled=False)


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    options = {
        "tls": {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False},
        "starttls": {
            "authenticator": authenticate,
            "auth_required": True,
            "require_starttls": True,
            "tls_context": context,
        },
        "plain": {"authenticator": authenticate, "auth_require_tls": False},
    }[mode]
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Handler(), hostname="mail.example.com", **options),
        "127.0.0.1",
        0,
        ssl=context if mode == "tls" else None,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
