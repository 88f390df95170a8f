#!/usr/bin/env bash
# A stranger's first minutes: clone into an empty folder, a home of its own, no caches;
# install; then, with the network cut, run `make test` and ask `make lab` for its page.
#
#     tools/fresh.sh            # all of it, about 20 minutes on two cores
#     tools/fresh.sh lab        # without the tests, about 3 minutes
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git clone -q "$(git rev-parse --show-toplevel)" "$folder/course"
mkdir "$folder/home"
cd "$folder/course"
export HOME="$folder/home" XDG_CACHE_HOME="$folder/home/cache" PIP_NO_CACHE_DIR=1 CI=true
unset KERAS_HOME VIRTUAL_ENV DL_COURSE_DATA DL_COURSE_SEED

offline() { # run a command with no network but loopback, which kernels need
    if [ "$(id -u)" = 0 ]; then
        unshare -n sh -c 'ip link set lo up && exec "$@"' sh "$@"
    else
        unshare -rn sh -c 'ip link set lo up && exec "$@"' sh "$@"
    fi
}
command -v unshare >/dev/null || { echo "needs unshare (Linux) to cut the network"; exit 1; }

SECONDS=0
make setup
echo "the lab installed in $SECONDS s, $(du -sh .venv | cut -f1)"
if [ "${1:-}" != lab ]; then
    make lint
    echo "tests installed after $SECONDS s"
    offline make test
    echo "tested after $SECONDS s"
fi
offline bash -c '
    make lab ARGS="--no-browser --port=18888" >lab.log 2>&1 &
    for i in $(seq 60); do
        if .venv/bin/python -c "import urllib.request as r; r.urlopen(\"http://127.0.0.1:18888/api\")" \
            2>/dev/null; then echo "the lab answers after $i s"; kill $!; exit 0; fi
        sleep 1
    done
    cat lab.log; exit 1'
echo "all of it: $SECONDS s, $(du -sh .venv | cut -f1) installed"
