#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# package.sh SUITE: makes the Debian packages in a Debian, twice in two folders, which must give the
# same bytes. Installs them in a bare one, which has no compiler, and runs what they bring. Then
# builds the outside project of tests/package there.
set -euo pipefail

suite=${1:?usage: package.sh SUITE}
me=package.sh
# shellcheck source=tests/slow/bare.sh
. "$(dirname "${BASH_SOURCE[0]}")/bare.sh"

make_bare
builder=$folder
new_folder
target=$folder
cp -a "$builder/." "$target"

folder=$builder
clone_into "$builder/root/septet"
mkdir -p "$builder/root/elsewhere/deeper"
cp -a "$builder/root/septet" "$builder/root/elsewhere/deeper"
for place in /root/septet /root/elsewhere/deeper/septet; do
    bare "$place/dev" package
done
cd "$builder/root/septet/build/package"
for deb in *.deb; do
    cmp "$deb" "$builder/root/elsewhere/deeper/septet/build/package/$deb"
done
say "the packages have the same bytes from both folders"

folder=$target
mkdir "$target/root/packages"
cp ./*.deb "$target/root/packages"
cp -r "$root/tests/package/outside" "$target/root/outside"

log=$target/root/log

# install PACKAGE…: with neither recommended packages nor questions.
install() {
    bare env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" \
        >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        die "cannot install $*"
    }
}

# expect TEXT COMMAND…
expect() {
    local wanted=$1 got
    shift
    bare "$@" >"$log" || die "failed: $*"
    got=$(cat "$log")
    [[ $got == "$wanted" ]] || die "'$got' came instead of '$wanted' from: $*"
}

# package NAME: prints the path of the package in the bare Debian.
package() {
    local path
    path=$(echo "$target/root/packages/$1"_*.deb)
    echo "/root/packages/$(basename "$path")"
}

bare apt-get -q update >"$log" 2>&1
install "$(package septet)"
! bare sh -c 'command -v cc || command -v gcc' >"$log" || die "there is a compiler"
expect 1 septet -e 'print(1)'
expect 2 septet -e \
    'task = require "septet.task" print(#task.gather(task.map(math.abs, {1, 2})))'
expect yes sh -c 'test -e /usr/share/man/man1/septet.1.gz && echo yes'
install "$(package libseptet0)" "$(package lua-septet)" lua5.4
expect 42 lua5.4 -e 'print(require "septet".run(function() return 42 end))'
say "the packages install and run without a compiler"

install "$(package libseptet-dev)" gcc g++ cmake ninja-build
bare sh -c 'cd /root/outside && cmake -G Ninja -B build && cmake --build build' >"$log"
for library in septet static; do
    expect '2 tasks slept in septet 0.1.0' "/root/outside/build/${library}_c"
    expect 'the answer is 42' "/root/outside/build/${library}_cc"
done
for library in septet septet-static; do
    # shellcheck disable=SC2016
    expect '2 tasks slept in septet 0.1.0' sh -c \
        'cd /root/outside && cc -o c program.c $(pkg-config --cflags --libs '"$library"') && ./c'
    expect 'the answer is 42' sh -c 'cd /root/outside &&
        c++ -std=c++20 -o cc program.cc $(pkg-config --cflags --libs '"$library"') && ./cc'
done
# shellcheck disable=SC2016
expect '2 tasks slept in septet 0.1.0' sh -c \
    'cd /root/outside && cc -o c program.c $(pkg-config --static --cflags --libs septet) && ./c'
say "the outside project builds against the packages in $suite"
