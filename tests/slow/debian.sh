#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# debian.sh SUITE: runs `./dev demo` and `./dev test` of a fresh clone in a bare Debian, with
# nothing installed.
set -euo pipefail

suite=${1:?usage: debian.sh SUITE}
me=debian.sh
# shellcheck source=tests/slow/bare.sh
. "$(dirname "${BASH_SOURCE[0]}")/bare.sh"

make_bare
clone_into "$folder/root/septet"
for what in demo test; do
    start=$SECONDS
    say "./dev $what in $suite"
    bare /root/septet/dev "$what"
    say "./dev $what in $suite passed in $((SECONDS - start)) s"
done
