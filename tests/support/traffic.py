"""Real traffic between namespaces: does it arrive, and as it was sent."""

import hashlib
import os
import socket
import threading

from .namespaces import Namespace
from .roaming import udp_socket


def ping(
    place: Namespace,
    address: str,
    options: str = "",
    *,
    count: int = 1,
    wait: float = 1,
) -> int:
    """How many answers came."""
    command = f"ping -n -i 0.02 -c {count} -W {wait} {options} {address}"
    words = place.run(command, check=False).split()
    return int(words[words.index("received,") - 1]) if "received," in words else 0


def transfer(
    source: Namespace, at: str, sink: Namespace, to: str, *, megabytes: int = 20
) -> bool:
    """Whether so much TCP data arrives as it was sent."""
    with sink.entered():
        listener = socket.create_server((to, 0), family=socket.AF_INET6)
    with source.entered():
        sender = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sender.bind((at, 0))
    sender.settimeout(120)
    sender.connect(listener.getsockname()[:2])
    receiver, _ = listener.accept()
    receiver.settimeout(120)
    data = os.urandom(1 << 20) * megabytes
    digest = hashlib.sha256()

    def receive() -> None:
        while part := receiver.recv(1 << 18):
            digest.update(part)

    thread = threading.Thread(target=receive)
    thread.start()
    sender.sendall(data)
    sender.close()
    thread.join(120)
    receiver.close()
    listener.close()
    return digest.digest() == hashlib.sha256(data).digest()


def send_gso(
    source: Namespace, at: str, sink: Namespace, to: str, *, rounds: int = 20
) -> int:
    """How many UDP super-packets of 50 datagrams arrive whole and in order."""
    whole = 0
    with udp_socket(source, at) as sender, udp_socket(sink, to) as receiver:
        sender.setsockopt(17, 103, 1200)  # UDP_SEGMENT
        for _ in range(rounds):
            data = os.urandom(60000)
            sender.sendto(data, receiver.getsockname())
            got = b""
            try:
                while len(got) < len(data):
                    got += receiver.recv(65535)
            except TimeoutError:
                pass
            whole += got == data
    return whole
