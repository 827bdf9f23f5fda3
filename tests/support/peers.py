# SPDX-License-Identifier: MIT
"""peers: the servers that a test needs beside the origin: some from Debian's packages, and some
that fail. All listen on free ports of loopback, keep their files in the folder that they are given,
and end with their starter. Each sets variables in the environment:

 tls        SEPTET_TLS_ORIGIN, an origin that speaks TLS, in the origin's own log; SEPTET_TLS, a
            folder of certificates (see certificates.py); SEPTET_OPENSSL, the version that made them
 faulty     SEPTET_FAULTY, the ports of faulty.py as JSON; SEPTET_FAULTY_LOG
 h2         SEPTET_H2, the port of h2.py; SEPTET_H2_LOG
 nginx      SEPTET_NGINX and SEPTET_NGINX_TLS, its URLs; SEPTET_NGINX_LOG; SEPTET_NGINX_ROOT, the
            folder that it serves; SEPTET_NGINX_SOCKET, where it asks for what is below /held/
 tinyproxy  SEPTET_TINYPROXY and SEPTET_TINYPROXY_AUTH, host:port of one for all and of one for
            user:secret
 socks      SEPTET_SOCKS and SEPTET_SOCKS_AUTH, the same of SOCKS5
 blackhole  SEPTET_BLACKHOLE, an address (and ::1, too) where a SYN to the origin's port gets no
            answer, nor, if tls was started before, one to that origin's
 dns        SEPTET_DNS, 127.0.0.1:PORT of dns.py; SEPTET_DNS_LOG
 dnsmasq    SEPTET_DNSMASQ, the same of one that knows peer.test, 127.0.0.7 and ::1, and its
            alias.peer.test
"""

import ctypes
import itertools
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import certificates

HERE = os.path.dirname(os.path.abspath(__file__))
PR_SET_PDEATHSIG = 1
STARTING = 20  # seconds, after which a peer that does not listen never will

NGINX = """daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.error;
events {{ worker_connections 1024; }}
http {{
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  log_format spec '$connection "$request" $status $body_bytes_sent'
    ' $ssl_protocol $ssl_session_reused';
  access_log {folder}/nginx.log spec;
  gzip on;
  gzip_min_length 100;
  gzip_types *;
  gzip_vary on;
  types {{ text/html html; }}
  default_type text/plain;
  keepalive_requests 50;
  server {{
    listen 127.0.0.1:{ports[0]};
    listen 127.0.0.1:{ports[1]} ssl http2;
    ssl_certificate {folder}/server.crt;
    ssl_certificate_key {folder}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    root {folder}/root;
    location = /204 {{ return 204; }}
    location = /moved {{ return 301 /small.txt; }}
    location = /405 {{ limit_except GET {{ deny all; }} }}
    location /held/ {{ proxy_pass http://unix:{folder}/held:/; }}
    location /upstream/ {{ proxy_pass {origin}/; proxy_http_version 1.1; client_max_body_size 1m; }}
  }}
}}
"""

TINYPROXY = """Port {port}
Listen 127.0.0.1
Timeout 60
MaxClients 50
LogFile "{folder}/tinyproxy-{port}.log"
LogLevel Connect
"""


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def find(program):
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return found or sys.exit(f"peers: there is no {program} here")


def free_ports(n):
    """Returns ports that were free a moment ago."""
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Peers:
    def __init__(self, folder, log, environment):
        self.folder, self.log, self.environment = folder, log, environment
        self.processes, self.sockets = [], []

    def path(self, name):
        return os.path.join(self.folder, name)

    def certificates(self):
        if not os.path.exists(self.path("ca.pem")):
            certificates.make_all(self.folder)
        version = subprocess.run(
            ["openssl", "version"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        self.environment.update(SEPTET_TLS=self.folder, SEPTET_OPENSSL=version)

    def spawn(self, *command, **how):
        process = subprocess.Popen(
            command, start_new_session=True, preexec_fn=die_with_parent, **how
        )
        self.processes.append(process)
        return process

    def listener(self, n, make_command):
        """Starts the command make_command(*ports), and waits until it listens. Tries again if
        another program has taken a port meanwhile."""
        for _ in range(5):
            ports = free_ports(n)
            with open(self.path("peers.out"), "ab") as out:
                process = self.spawn(
                    *make_command(*ports), stdin=subprocess.DEVNULL, stdout=out, stderr=out
                )
            give_up = time.monotonic() + STARTING
            while process.poll() is None and time.monotonic() < give_up:
                if all(listens(port) for port in ports):
                    return ports
                time.sleep(0.005)
            self.processes.remove(process)
            process.kill()
            process.wait()
        with open(self.path("peers.out"), errors="replace") as out:
            sys.exit("peers: does not start: " + " ".join(process.args) + "\n" + out.read())

    def talker(self, *command):
        """Starts a server that lives as long as its standard input, and returns its first line."""
        process = self.spawn(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline().strip()
        return line or sys.exit("peers: does not start: " + " ".join(command))

    # --- each of them ---

    def start_tls(self):
        self.certificates()
        line = self.talker(
            sys.executable, os.path.join(HERE, "origin.py"), "--log", self.log, "--tls", self.folder
        )
        self.environment["SEPTET_TLS_ORIGIN"] = "https://127.0.0.1:" + line.split()[1]

    def start_faulty(self):
        self.certificates()
        certificates.make_bad(self.folder)
        log = self.path("faulty.jsonl")
        open(log, "w").close()
        line = self.talker(sys.executable, os.path.join(HERE, "faulty.py"), self.folder, log)
        self.environment.update(SEPTET_FAULTY=line, SEPTET_FAULTY_LOG=log)

    def start_h2(self):
        self.certificates()
        log = self.path("h2.jsonl")
        open(log, "w").close()
        line = self.talker(sys.executable, os.path.join(HERE, "h2.py"), self.folder, log)
        self.environment.update(SEPTET_H2=line.split()[1], SEPTET_H2_LOG=log)

    def start_nginx(self):
        self.certificates()
        os.mkdir(self.path("root"))
        for name, text in (
            ("small.txt", "0123456789abcdef"),
            ("large.txt", "0123456789abcdef" * 65536),
        ):
            with open(self.path("root/" + name), "w") as file:
                file.write(text)

        def command(*ports):
            with open(self.path("nginx.conf"), "w") as file:
                file.write(
                    NGINX.format(
                        folder=self.folder, ports=ports, origin=self.environment["SEPTET_ORIGIN"]
                    )
                )
            return [
                find("nginx"), "-p", self.folder, "-e", self.path("nginx.error"), "-c",
                self.path("nginx.conf"),
            ]

        plain, tls = self.listener(2, command)
        self.environment.update(
            SEPTET_NGINX=f"http://127.0.0.1:{plain}", SEPTET_NGINX_TLS=f"https://127.0.0.1:{tls}",
            SEPTET_NGINX_LOG=self.path("nginx.log"), SEPTET_NGINX_ROOT=self.path("root"),
            SEPTET_NGINX_SOCKET=self.path("held"),
        )

    def start_tinyproxy(self):
        def command(more):
            def with_port(port):
                config = self.path(f"tinyproxy-{port}.conf")
                with open(config, "w") as file:
                    file.write(TINYPROXY.format(folder=self.folder, port=port) + more)
                return [find("tinyproxy"), "-d", "-c", config]

            return with_port

        for name, more in (
            ("SEPTET_TINYPROXY", ""),
            ("SEPTET_TINYPROXY_AUTH", "BasicAuth user secret\n"),
        ):
            self.environment[name] = "127.0.0.1:%d" % self.listener(1, command(more))[0]

    def start_socks(self):
        for name, more in (
            ("SEPTET_SOCKS", []),
            ("SEPTET_SOCKS_AUTH", ["-u", "user", "-P", "secret"]),
        ):
            (port,) = self.listener(
                1, lambda port: [find("microsocks"), "-i", "127.0.0.1", "-p", str(port), *more]
            )
            self.environment[name] = f"127.0.0.1:{port}"

    def start_blackhole(self):
        """A listener whose queue is full, so that the kernel drops further connections."""
        urls = [
            self.environment[name]
            for name in ("SEPTET_ORIGIN", "SEPTET_TLS_ORIGIN")
            if name in self.environment
        ]
        places = ((socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::1"))
        for url, (family, address) in itertools.product(urls, places):
            port = int(url.rpartition(":")[2])
            listener = socket.socket(family)
            listener.bind((address, port))
            listener.listen(0)
            waiting = [socket.socket(family) for _ in range(4)]
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex((address, port))
            if select.select([], waiting[-1:], [], 0.1)[1]:
                sys.exit("peers: a full queue of " + address + " still accepts a connection")
            self.sockets += [listener, *waiting]
        self.environment["SEPTET_BLACKHOLE"] = "127.0.0.2"

    def start_dns(self):
        log = self.path("dns.jsonl")
        line = self.talker(sys.executable, os.path.join(HERE, "dns.py"), "--log", log)
        self.environment.update(SEPTET_DNS="127.0.0.1:" + line.split()[1], SEPTET_DNS_LOG=log)

    def start_dnsmasq(self):
        command = [
            find("dnsmasq"), "--keep-in-foreground", "--log-facility=-", "--user=", "--pid-file=",
        ]
        command += ["--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"]
        command += ["--listen-address=127.0.0.1", "--host-record=peer.test,127.0.0.7,::1"]
        command += ["--cname=alias.peer.test,peer.test", "--address=/gone.test/"]
        port, = self.listener(1, lambda port: [*command, f"--port={port}"])
        self.environment["SEPTET_DNSMASQ"] = f"127.0.0.1:{port}"

    def start(self, name):
        start = getattr(self, "start_" + name, None)
        if not start:
            sys.exit(f"peers: there is no peer '{name}'")
        start()

    def stop(self):
        """Stops all peers. Returns true if all were still running."""
        gone = [process for process in self.processes if process.poll() is not None]
        for process in gone:
            print(
                f"peers: ended with status {process.returncode}: {' '.join(process.args)}",
                file=sys.stderr,
            )
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()
        for sock in self.sockets:
            sock.close()
        return not gone
