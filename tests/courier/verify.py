"""Verifies an address and a number by the messages that a real mail server and a real webhook receive.

The mail server is aiosmtpd: once in clear, once with STARTTLS and a password. The webhook checks the signature of what
it gets, and fails the first time, so that a delivery has to be tried again.
"""

import asyncio
import email
import hashlib
import hmac
import json
import os
import queue
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

TOKEN = "courier-test-token-0123456789"
SECRET = "courier-test-secret-0123456789"
PATIENCE = 60


class Mailbox:
    """Keeps the mails that arrive."""

    def __init__(self):
        self.mails = queue.Queue()

    async def handle_DATA(self, server, session, envelope):
        self.mails.put((session.ssl is not None, session.authenticated, envelope))
        return "250 OK"


class Hook(BaseHTTPRequestHandler):
    """Takes signed messages, but not the first time."""

    received = queue.Queue()
    refused = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fields = dict(part.split("=", 1) for part in self.headers["Muster-Signature"].split(","))
        signed = fields["t"].encode() + b"." + body
        wanted = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        good = hmac.compare_digest(wanted, fields["v1"]) and abs(time.time() - int(fields["t"])) < 30
        if not self.refused:
            self.refused.append(json.loads(body)["id"])
            self.send_response(503)
        else:
            self.received.put((good, json.loads(body)))
            self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def certificate(directory):
    """A certificate for 127.0.0.1 that is its own authority."""
    key, cert = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )
    return key, cert


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Muster:
    """A server with a courier."""

    def __init__(self, program, directory, courier, **environment):
        settings = {"MUSTER_BOOTSTRAP_TOKEN": TOKEN, "MUSTER_COURIER": courier,
                    "MUSTER_COURIER_FROM": "Muster <no-reply@muster.example>", "MUSTER_COURIER_SECRET": SECRET}
        self.log = open(os.path.join(directory, "muster.log"), "a")
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--database", f"sqlite:{directory}/muster.db"],
            env={**os.environ, **settings, **environment}, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        for line in self.process.stdout:
            if found := re.match(r"muster listening on (http://\S+)", line):
                self.base = found[1]
                return
        raise SystemExit("the server did not start: " + open(self.log.name).read())

    def call(self, method, path, body=None, api="/identity/v1"):
        request = urllib.request.Request(
            f"{self.base}{api}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


passed = failed = 0


def check(what, good):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"courier: FAILED: {what}")


def verify_by_mail(muster, mailbox, address, secure):
    _, user = muster.call("POST", "/users", {"emails": [{"value": address}]})
    path = f"/users/{user['id']}/verifications"
    status, begun = muster.call("POST", path, {"kind": "email"})
    check("a verification begins and is sent", status == 201 and begun["sent"])
    encrypted, authenticated, envelope = mailbox.mails.get(timeout=PATIENCE)
    check("the connection is as secure as it was asked for", (encrypted, bool(authenticated)) == (secure, secure))
    check("the mail goes to the address", envelope.rcpt_tos == [address])
    mail = email.message_from_bytes(envelope.content)
    text = mail.get_payload(decode=True).decode()
    code = re.search(r"\b\d{6}\b", text)[0]
    check("the mail is from the sender that was set", "no-reply@muster.example" in mail["From"])
    check("the subject has the code", code in mail["Subject"])
    wrong = "000000" if code != "000000" else "111111"
    status, problem = muster.call("POST", f"{path}/complete", {"kind": "email", "code": wrong})
    check("a wrong code is refused", status == 400 and problem["code"] == "code-invalid")
    status, user = muster.call("POST", f"{path}/complete", {"kind": "email", "code": code})
    check("the code verifies the address", status == 200 and user["emails"][0]["verified"])


def verify_in_german(muster, mailbox):
    for name, value in [("email-code.de", "Ihr Code|Grüezi, Ihr Code ist {code}."),
                        ("email-code-html.de", "<p>Grüezi, Ihr Code ist <b>{code}</b>.</p>")]:
        status, _ = muster.call("PUT", f"/settings/{name}", {"value": value}, api="/admin/v1")
        check("words are set", status == 200)
    _, user = muster.call("POST", "/users", {"emails": [{"value": "greta@example.com"}], "preferred_language": "de-CH"})
    muster.call("POST", f"/users/{user['id']}/verifications", {"kind": "email"})
    _, _, envelope = mailbox.mails.get(timeout=PATIENCE)
    mail = email.message_from_bytes(envelope.content)
    parts = {part.get_content_type(): part.get_payload(decode=True).decode() for part in mail.walk() if not part.is_multipart()}
    check("the subject is the tenant's", mail["Subject"] == "Ihr Code")
    check("the mail is text and HTML", mail.get_content_type() == "multipart/alternative" and len(parts) == 2)
    code = re.search(r"<b>(\d{6})</b>", parts["text/html"])
    check("both say the same", code and parts["text/plain"].strip() == f"Grüezi, Ihr Code ist {code[1]}.")


def verify_by_text(muster):
    _, user = muster.call("POST", "/users", {})
    path = f"/users/{user['id']}/verifications"
    muster.call("POST", path, {"kind": "phone", "value": "+41 79 123 45 67"})
    good, delivered = Hook.received.get(timeout=PATIENCE)
    message = delivered["message"]
    check("the webhook's signature is right", good)
    check("a message that was refused comes again with its id", [delivered["id"]] == Hook.refused)
    check("the text goes to the number", (message["channel"], message["to"]) == ("sms", "+41791234567"))
    status, user = muster.call("POST", f"{path}/complete", {"kind": "phone", "code": message["code"]})
    check("the code verifies the number", status == 200 and user["phones"][0]["verified"])


def main(program):
    asyncio.set_event_loop(asyncio.new_event_loop())
    hook = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as directory:
        mailbox = Mailbox()
        plain = Controller(mailbox, hostname="127.0.0.1", port=free_port())
        plain.start()
        courier = f"smtp://127.0.0.1:{plain.port} http://127.0.0.1:{hook.server_port}/messages"
        muster = Muster(program, directory, courier)
        verify_by_mail(muster, mailbox, "anna@example.com", secure=False)
        verify_in_german(muster, mailbox)
        verify_by_text(muster)
        muster.stop()
        plain.stop()

        key, cert = certificate(directory)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        login = lambda server, session, envelope, mechanism, data: AuthResult(
            success=isinstance(data, LoginPassword) and (data.login, data.password) == (b"muster", b"secret"))
        secure = Controller(
            mailbox, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True,
            authenticator=login, auth_required=True,
        )
        secure.start()
        courier = f"smtp://muster:secret@localhost:{secure.port}?tls=required"
        muster = Muster(program, directory, courier, SSL_CERT_FILE=cert)
        verify_by_mail(muster, mailbox, "berta@example.com", secure=True)
        muster.stop()
        secure.stop()
        log = open(os.path.join(directory, "muster.log")).read()
        check("the log has no password and no address", "secret" not in log and "example.com" not in log)
    hook.shutdown()
    print(f"suite courier: {passed} passed, {failed} failed")
    sys.exit(failed > 0)


main(sys.argv[1])
