# SPDX-License-Identifier: MIT
"""Makes a folder of certificates for tests: two CAs, those that one of them signed for a server and
a client, and some that a client must refuse. Each NAME.pem has a certificate and then its key,
which are also in NAME.crt and NAME.key."""

import os
import subprocess
import sys

# `openssl ca` alone can date a certificate, and it wants its books kept.
BOOKS = """[ca]
default_ca = books
[books]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""
NAMES = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def openssl(*arguments):
    done = subprocess.run(
        ["openssl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        sys.exit("certificates: openssl: " + done.stdout)


class Maker:
    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def bundle(self, name):
        with open(self.path(name + ".pem"), "w") as out:
            for part in (".crt", ".key"):
                with open(self.path(name + part)) as file:
                    out.write(file.read())

    def make(self, name, subject, *more):
        files = ["-keyout", self.path(name + ".key"), "-out", self.path(name + ".crt")]
        openssl("req", "-x509", *KEY, *files, "-days", "2", "-subj", "/CN=" + subject, *more)
        self.bundle(name)

    def signed(self, by):
        return ["-CA", self.path(by + ".crt"), "-CAkey", self.path(by + ".key"),
                "-addext", "basicConstraints=critical,CA:FALSE"]

    def make_dated(self, name, start, end, by="ca"):
        """Makes one for localhost that is valid from `start` to `end`, as YYYYMMDDHHMMSSZ. It signs
        itself if `by` is None."""
        key = self.path(name + ".key")
        signer = ["-selfsign", "-keyfile", key]
        if by:
            signer = ["-cert", self.path(by + ".crt"), "-keyfile", self.path(by + ".key")]
        with open(self.path("books.cnf"), "w") as file:
            file.write(BOOKS.format(folder=self.folder))
        open(self.path("index"), "w").close()
        request = self.path(name + ".csr")
        openssl(
            "req", "-new", *KEY, "-keyout", key, "-out", request, "-subj", "/CN=localhost", *NAMES,
        )
        openssl(
            "ca", "-batch", "-notext", "-config", self.path("books.cnf"), *signer, "-in", request,
            "-out", self.path(name + ".crt"), "-startdate", start, "-enddate", end,
        )
        self.bundle(name)


def make_all(folder):
    maker = Maker(folder)
    maker.make("ca", "the CA")
    maker.make("other", "another CA")
    maker.make("server", "localhost", *maker.signed("ca"), *NAMES)
    maker.make("client", "the client", *maker.signed("ca"))


def make_bad(folder):
    """Adds the certificates that a client which trusts ca.pem must refuse."""
    maker = Maker(folder)
    maker.make_dated("expired", "20200101000000Z", "20200201000000Z")
    maker.make_dated("not_yet_valid", "20900101000000Z", "20900201000000Z")
    maker.make(
        "host", "elsewhere.invalid", *maker.signed("ca"), "-addext",
        "subjectAltName=DNS:elsewhere.invalid",
    )
    maker.make("self_signed", "localhost", *NAMES)
    maker.make("unknown_ca", "localhost", *maker.signed("other"), *NAMES)
