"""Start a program that is not told when this machine's network changes: `python still_network.py PROGRAM ARGUMENT...`

Chromium drops every request under way (`ERR_NETWORK_CHANGED`), those on loopback too, when an address comes or goes;
containers that tests start beside it do just that. It listens on a netlink socket, so it gets none.
"""

from __future__ import annotations

import errno
import os
import socket
import sys

import pyseccomp


def refuse_netlink() -> None:
    """From now on, for this process and those it starts."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    rules.add_rule(pyseccomp.ERRNO(errno.EACCES), "socket", pyseccomp.Arg(0, pyseccomp.EQ, socket.AF_NETLINK.value))
    rules.load()


if __name__ == "__main__":
    refuse_netlink()
    os.execv(sys.argv[1], sys.argv[1:])
