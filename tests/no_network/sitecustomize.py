"""A guard for every Python process that a test starts: connecting beyond loopback raises."""

import ipaddress
import socket

_connect = socket.socket.connect


def _guarded(self, address):  # type: ignore[no-untyped-def]
    if self.family in (socket.AF_INET, socket.AF_INET6):
        host = str(address[0])
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise PermissionError(f"a test allows loopback only, not {host}")
    return _connect(self, address)


socket.socket.connect = _guarded  # type: ignore[method-assign]
