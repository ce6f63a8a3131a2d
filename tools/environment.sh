# Sourced by tools/run, tools/test and tools/check: makes .venv with locked dependencies.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() { printf '%s: %s\n' "$(basename "$0")" "$1" >&2; exit 1; }

# Pythons on the PATH that are new enough, the fastest first: one that was compiled without profile-guided
# optimisation, as self-compiled ones often are, needs twice the time for everything.
find_pythons() {
    local name path
    for name in python3.14 python3.13 python3.12 python3.11 python3; do
        while read -r path; do
            "$path" - <<'PYTHON' 2>/dev/null || true
import os, sys, time
if sys.version_info >= (3, 11):
    spent = []
    for _ in range(5):
        start = time.process_time()
        sum(number for number in range(100_000))
        spent.append(time.process_time() - start)
    print(f"{min(spent):.4f} {os.path.realpath(sys.executable)}")
PYTHON
        done < <(type -ap "$name")
    done | sort -u -k2 | sort -n | cut -d' ' -f2-
}

make_venv() { "$1" -m venv "$root/.venv" >/dev/null 2>&1 || { rm -rf "$root/.venv"; return 1; }; }

# Debian splits venv from python3; root can mend that, others are told how.
create_venv() {
    local pythons python
    mapfile -t pythons < <(find_pythons)
    [ -n "${pythons[0]}" ] || fail 'needs Python 3.11 or newer, and found none on the PATH'
    if ! "${pythons[0]}" -c 'import ensurepip' 2>/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    fi
    for python in "${pythons[@]}"; do make_venv "$python" && return; done
    fail 'cannot make .venv: install the venv module (Debian: apt-get install python3-venv)'
}

# ensure_environment run|test: .venv holds exactly what requirements/$1.txt locks (test includes run).
ensure_environment() {
    local lock="$root/requirements/$1.txt" stamp="$root/.venv/.installed-$1" wanted
    wanted=$(sha256sum <"$lock")
    if [ -x "$root/.venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
    [ -x "$root/.venv/bin/python" ] || create_venv
    echo "Installing the locked dependencies ($1) into .venv …" >&2
    "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" >&2 ||
        fail "could not install $lock (is the package index reachable?)"
    printf '%s' "$wanted" >"$stamp"
}

# Of the sources and of the Python that a compiled core is good for.
fingerprint() {
    (cd "$root" && readlink -f .venv/bin/python && find voiceconnector -name '*.py' | LC_ALL=C sort | xargs sha256sum) | sha256sum
}

# Prefer what tools/compile made, unless the sources have changed since.
use_compiled() {
    if [ -e "$root/build/.compiled" ] && [ "$(cat "$root/build/.compiled")" = "$(fingerprint)" ]; then
        export PYTHONPATH="$root/build:$PYTHONPATH"
    fi
}

export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
