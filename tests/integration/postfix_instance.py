"""A private Postfix: its own folders and port, STARTTLS, mail for `example.com` delivered into one Maildir.

Mail for `gone.example` and `bounces.shop.example` goes on by LMTP to a port that a test may listen at.
"""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60  1 pickup
cleanup   unix  n - n -   0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -   - trivial-rewrite
bounce    unix  - - n -   0 bounce
defer     unix  - - n -   0 bounce
trace     unix  - - n -   0 bounce
verify    unix  - - n -   1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -   - proxymap
virtual   unix  - n n -   - virtual
lmtp      unix  - - n -   - lmtp
error     unix  - - n -   - error
retry     unix  - - n -   - error
discard   unix  - - n -   - discard
anvil     unix  - - n -   1 anvil
scache    unix  - - n -   1 scache
postlog   unix-dgram n - n - 1 postlogd
"""
_MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/mail.log
maillog_file_prefixes = {root}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mail.test.example
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = inline:{{ {{ ada@example.com = ada/ }} {{ full@example.com = ada/ }} }}
relay_domains = gone.example
transport_maps = inline:{{
 {{ gone.example = lmtp:inet:127.0.0.1:{lmtp_port} }} {{ bounces.shop.example = lmtp:inet:127.0.0.1:{lmtp_port} }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ full@example.com = 452 4.2.2 mailbox full }} }}
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
message_size_limit = 100000
smtpd_client_connection_count_limit = 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postfix:
    """A running instance."""

    port: int
    lmtp_port: int
    root: Path

    def delivered(self) -> list[bytes]:
        """Return the messages in the Maildir, oldest first."""
        found = sorted((self.root / "mail" / "ada" / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_bytes() for path in found]

    def wait_for(self, count: int) -> list[bytes]:
        """Return the messages once there are `count`. Postfix has no way to tell, so this looks until it is so."""
        until = time.monotonic() + 60
        while len(found := self.delivered()) < count and time.monotonic() < until:
            time.sleep(0.02)
        assert len(found) == count, (self.root / "mail.log").read_text()
        return found


def missing() -> str | None:
    """Return why no Postfix can be run here, or None."""
    if shutil.which("postfix", path="/usr/sbin:/usr/bin") is None:
        return "postfix is not installed"
    return None if os.geteuid() == 0 else "postfix can only be started by root"


def start(root: Path, *, ports: Sequence[int], certificate: Path, key: Path) -> Postfix:
    """Start an instance below `root`, a folder that every user may enter. `ports` are its own, and that of LMTP."""
    account = pwd.getpwnam("postfix")
    port, lmtp_port = ports
    for name in ("etc", "queue", "data", "mail"):
        (root / name).mkdir()
    os.chown(root / "data", account.pw_uid, account.pw_gid)
    os.chown(root / "mail", account.pw_uid, account.pw_gid)
    values = {"root": root, "certificate": certificate, "key": key, "uid": account.pw_uid, "gid": account.pw_gid}
    values["lmtp_port"] = lmtp_port
    (root / "etc" / "main.cf").write_text(_MAIN.format(**values))
    (root / "etc" / "master.cf").write_text(_MASTER.format(port=port))
    _postfix(root, "start")
    return Postfix(port=port, lmtp_port=lmtp_port, root=root)


def stop(postfix: Postfix) -> None:
    """Stop the instance."""
    _postfix(postfix.root, "stop")


def _postfix(root: Path, command: str) -> None:
    done = subprocess.run(
        ["/usr/sbin/postfix", "-c", str(root / "etc"), command], capture_output=True, text=True, timeout=60, check=False
    )
    log = root / "mail.log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
