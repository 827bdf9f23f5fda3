# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# bare.sh: a bare Debian in a folder, for the scripts beside it, which set `suite` and `me` and read
# this file. The folder is made with debootstrap from the mirror that this machine's own apt uses,
# and is removed at the end. Everything inside runs in its own mount and process namespace, so that
# no mount and no process is left, however it ends.
root=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
inside=
folders=()

say() {
    printf '%s: %s\n' "$me" "$*" >&2
}

die() {
    say "$@"
    exit 1
}

clean_up() {
    [[ -z $inside ]] || kill -KILL "$inside" 2>/dev/null || true
    wait
    for folder in ${folders[@]+"${folders[@]}"}; do
        rm -rf --one-file-system "$folder"
    done
}

# The main archive of the host's apt: not the one for security fixes.
mirror() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(SITE) $(LABEL) $(CODENAME)' \
        'Identifier: Packages' 'Origin: Debian' |
        awk '$2 == "Debian" { print $1; exit }'
}

# The same where apt has no lists yet, and so does not know who is behind a site.
mirror_unknown() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(SITE)' 'Identifier: Packages' | grep -v security | head -n 1
}

[[ $(id -u) -eq 0 ]] || die "this needs root"
for program in debootstrap git unshare apt-get; do
    command -v "$program" >/dev/null || die "there is no $program here"
done
site=${SEPTET_DEBIAN_MIRROR:-$(mirror)}
site=${site:-$(mirror_unknown)}
[[ -n $site ]] || die "apt knows no Debian mirror here; name one in SEPTET_DEBIAN_MIRROR"

# A proxy that only apt knows is for debootstrap, too, and for the apt inside.
proxy=$(apt-config dump --format '%v' Acquire::http::Proxy 2>/dev/null || true)
http_proxy=${http_proxy:-$proxy}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# new_folder: sets `folder` to a new one, which is removed at the end.
new_folder() {
    folder=$(mktemp -d "${TMPDIR:-/tmp}/septet-$suite.XXXXXX")
    folders+=("$folder")
    chmod 755 "$folder" # it is the root of other users, too
}

# make_bare: makes a bare Debian in a new folder, with nothing installed but apt.
make_bare() {
    local start=$SECONDS
    new_folder
    say "making a bare $suite in $folder"
    debootstrap --variant=minbase "$suite" "$folder" "$site" >"$folder.log" 2>&1 || {
        tail -n 20 "$folder.log" >&2
        rm -f "$folder.log"
        die "debootstrap failed"
    }
    rm -f "$folder.log"
    # Every installed system and every container has this file, but debootstrap does not write it.
    printf '%s\n' '127.0.0.1 localhost' '::1 localhost ip6-localhost ip6-loopback' \
        >"$folder/etc/hosts"
    say "made in $((SECONDS - start)) s"
}

# clone_into FOLDER: copies the last commit there.
clone_into() {
    if [[ -n $(git -C "$root" status --porcelain) ]]; then
        say "note: what is tested is the last commit, without the changes that lie about"
    fi
    git clone --quiet --no-hardlinks "$root" "$1"
}

# bare COMMAND…: runs it in `folder`, seeing neither this machine's environment nor its processes.
bare() {
    local status=0
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child bash -c '
        mount -t proc proc "$0/proc"
        mount -t tmpfs tmpfs "$0/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$0/dev/pts"
        exec chroot "$0" env -i HOME=/root TERM=dumb LANG=C.UTF-8 \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            ${http_proxy:+http_proxy="$http_proxy"} "$@"' "$folder" "$@" &
    inside=$!
    wait "$inside" || status=$?
    inside=
    return "$status"
}

export http_proxy
