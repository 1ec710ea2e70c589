"""Keeps wstest's fuzzing server on loopback.

wstest binds to all addresses and has no option to change it. Python imports
this module when it starts, because of its name: `run` puts this folder on
PYTHONPATH, for wstest only.
"""

import socket

_bind = socket.socket.bind


def bind(self, address):
    if isinstance(address, tuple) and address[0] == "":
        address = ("127.0.0.1",) + address[1:]
    return _bind(self, address)


socket.socket.bind = bind
