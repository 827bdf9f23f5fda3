#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""faulty FOLDER LOG: servers on loopback that fail below HTTP: in the TLS handshake, at the end of
a connection, and as proxies. Some of them do not fail. FOLDER has the certificates.

Prints one line of JSON with the port of each server, by its name, and ends with its standard input.
LOG gets a line of JSON for each connection: "event" (the server's name) and what that server saw.
"""

import json
import os
import socket
import ssl
import struct
import sys
import threading
import warnings

FOLDER, LOG = sys.argv[1:3]
WRITING = threading.Lock()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def log(name, **fields):
    with WRITING, open(LOG, "a") as file:
        file.write(json.dumps({"event": name, **fields}) + "\n")


def read_head(sock):
    """Reads up to the empty line, or to the end."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(65536)
        if not piece:
            break
        head += piece
    return head


def header_lines(head):
    return head.decode("latin-1").split("\r\n")[1:-2]


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def pump(source, sink, limit=None):
    """Copies all bytes, or the first `limit`."""
    copied = 0
    try:
        while limit is None or copied < limit:
            piece = source.recv(65536 if limit is None else min(65536, limit - copied))
            if not piece:
                break
            sink.sendall(piece)
            copied += len(piece)
        if limit is None:
            sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


# --- TLS: each server is a certificate, or what becomes of a connection ---


def context(certificate="server"):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(os.path.join(FOLDER, certificate + ".pem"))
    return made


def old_context():
    """TLS 1.0 and 1.1 alone, which a current OpenSSL offers at security level 0."""
    made = context()
    made.set_ciphers("ALL:@SECLEVEL=0")
    warnings.simplefilter("ignore", DeprecationWarning)
    made.minimum_version, made.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return made


def demanding_context():
    made = context()
    made.load_verify_locations(os.path.join(FOLDER, "ca.pem"))
    made.verify_mode = ssl.CERT_REQUIRED
    made.maximum_version = ssl.TLSVersion.TLSv1_2  # where a client is refused in the handshake
    return made


def tls_server(name, tls):
    """Responds to one request on each connection. Logs its size, or that the handshake failed."""

    def serve(sock):
        try:
            secure = tls.wrap_socket(sock, server_side=True)
        except OSError as error:
            log(name, received=0, failed=str(error))
            return
        head = b""
        try:
            head = read_head(secure)
        except OSError:
            pass  # the client did not like what it saw
        try:
            log(name, received=len(head), resumed=secure.session_reused, version=secure.version())
            secure.sendall(OK.replace(b"Content", b"Connection: close\r\nContent"))
            secure.unwrap()
        except OSError:
            pass
        finally:
            secure.close()

    return serve


def eof_after_hello(sock):
    log("eof", received=len(sock.recv(65536)))


def no_notify(sock):
    """Ends without close_notify, by a close of the socket."""
    secure = context().wrap_socket(sock, server_side=True)
    framed = b"GET /framed" in read_head(secure)
    length = b"Content-Length: 4\r\n" if framed else b""
    secure.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"Connection: close\r\n\r\nbody")
    secure.close()


def slow_handshake(sock):
    """Sends its side of the handshake at one byte a second."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = context().wrap_bio(incoming, outgoing, server_side=True)
    try:
        incoming.write(sock.recv(65536))
        secure.do_handshake()
    except ssl.SSLWantReadError:
        pass
    sent = 0
    try:
        for byte in outgoing.read():
            sock.sendall(bytes([byte]))
            sent += 1
            sock.settimeout(1)
            try:
                if not sock.recv(65536):
                    break
            except socket.timeout:
                pass
    except OSError:
        pass
    log("slow_handshake", sent=sent)


def plain(sock):
    head = read_head(sock)
    hosts = [
        line.partition(": ")[2] for line in header_lines(head) if line.lower().startswith("host: ")
    ]
    log("ipv6", host=hosts[0])
    sock.sendall(OK)


# --- proxies ---


def open_tunnel(sock, name):
    """Reads a CONNECT and returns the connection that it made, or None for another request."""
    head = read_head(sock)
    line = head.split(b"\r\n")[0].decode("latin-1")
    log(name, line=line, headers=header_lines(head))
    method, target = line.split(" ")[:2]
    if method != "CONNECT":
        return None
    host, _, port = target.rpartition(":")
    beyond = socket.create_connection((host, int(port)))
    sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
    return beyond


def proxy_answer(name, status):
    """Refuses each request."""

    def serve(sock):
        head = read_head(sock)
        log(name, line=head.split(b"\r\n")[0].decode("latin-1"), headers=header_lines(head))
        challenge = (
            b'Proxy-Authenticate: Basic realm="faulty"\r\n' if status.startswith(b"407") else b""
        )
        sock.sendall(
            b"HTTP/1.1 "
            + status
            + b"\r\n"
            + challenge
            + b"Content-Length: 2\r\nConnection: close\r\n\r\nno"
        )

    return serve


def proxy_resets(sock):
    log("proxy_resets", received=len(read_head(sock)))
    reset(sock)


def proxy_drops_handshake(sock):
    with open_tunnel(sock, "proxy_drops_handshake"):
        sock.recv(65536)


def proxy_drops_body(sock):
    """Ends in the middle of the response."""
    with open_tunnel(sock, "proxy_drops_body") as beyond:
        threading.Thread(target=pump, args=(sock, beyond), daemon=True).start()
        pump(beyond, sock, limit=20000)
        sock.shutdown(socket.SHUT_RDWR)  # the other thread reads it, and would hold it open


def proxy_tunnels(sock):
    with open_tunnel(sock, "proxy_tunnels") as beyond:
        threading.Thread(target=pump, args=(sock, beyond), daemon=True).start()
        pump(beyond, sock)


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def read_socks_target(sock):
    """Reads the greeting and the request of SOCKS5, and returns the kind of address and the
    address."""
    _, methods = read_exactly(sock, 2)
    read_exactly(sock, methods)
    sock.sendall(b"\x05\x00")
    _, _, _, kind = read_exactly(sock, 4)
    if kind == 3:
        host = read_exactly(sock, read_exactly(sock, 1)[0]).decode("latin-1")
    else:
        host = socket.inet_ntop(*((socket.AF_INET, read_exactly(sock, 4)) if kind == 1 else
                                  (socket.AF_INET6, read_exactly(sock, 16))))
    return (
        {1: "ipv4", 3: "name", 4: "ipv6"}[kind], host,
        struct.unpack(">H", read_exactly(sock, 2))[0],
    )


def socks_anywhere(sock):
    """Logs the requested address. All names and addresses are 127.0.0.1 to it."""
    kind, host, port = read_socks_target(sock)
    log("socks_anywhere", kind=kind, host=host)
    with socket.create_connection(("127.0.0.1", port)) as beyond:
        sock.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        threading.Thread(target=pump, args=(sock, beyond), daemon=True).start()
        pump(beyond, sock)


def socks_unreachable(sock):
    read_socks_target(sock)
    sock.sendall(b"\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00")


# --- all of them ---

BAD = ("expired", "not_yet_valid", "host", "self_signed", "unknown_ca")
IPV6 = {"ipv6"}
SERVERS = {
    **{name: tls_server(name, context(name)) for name in BAD},
    "good": tls_server("good", context()),
    "old": tls_server("old", old_context()),
    "demanding": tls_server("demanding", demanding_context()),
    "ipv6": plain,
    "eof": eof_after_hello,
    "no_notify": no_notify,
    "slow_handshake": slow_handshake,
    "proxy_502": proxy_answer("proxy_502", b"502 Bad Gateway"),
    "proxy_407": proxy_answer("proxy_407", b"407 Proxy Authentication Required"),
    "proxy_resets": proxy_resets,
    "proxy_drops_handshake": proxy_drops_handshake,
    "proxy_drops_body": proxy_drops_body,
    "proxy_tunnels": proxy_tunnels,
    "socks_anywhere": socks_anywhere,
    "socks_unreachable": socks_unreachable,
}


def one(serve, sock):
    try:
        serve(sock)
    except OSError:
        pass
    finally:
        sock.close()


def accept_all(listener, serve):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=one, args=(serve, sock), daemon=True).start()


def main():
    ports = {}
    for name, serve in SERVERS.items():
        family, address = (
            (socket.AF_INET6, "::1") if name in IPV6 else (socket.AF_INET, "127.0.0.1")
        )
        listener = socket.create_server((address, 0), family=family, backlog=128)
        ports[name] = listener.getsockname()[1]
        threading.Thread(target=accept_all, args=(listener, serve), daemon=True).start()
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
