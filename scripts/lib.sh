# shellcheck shell=bash
# Shared by the scripts beside this file; sourced, not run.
#
# Set-up for a machine that has nothing yet: it looks at what is there, installs what is missing, says what and why, and
# does nothing the second time. Everything it says goes to standard error: standard output belongs to the command that
# was asked for.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

RUST_VERSION=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
# Of the embedded JavaScript's set-up: the first version whose npm reads lock files of version 3.
MINIMUM_NODE=16

say() { printf '%s\n' "$*" >&2; }

# Ends with one sentence that says what to do. 2 is the exit code for "the machine is not as it must be".
die() {
    say "error: $*"
    exit 2
}

have() { command -v "$1" >/dev/null 2>&1; }

# --- Packages of the system -------------------------------------------------------------------------------------------

# Prints `package|why` for everything that is missing, a line each. What is there already is recognised by what it does,
# not by its package: it may have come another way.
missing_packages() {
    find_postgres >/dev/null || echo "postgresql-15|initdb and postgres: the database of rehearsals and tests"
    have chromium || echo "chromium|draws the submitted modules"
    have cc && have make || echo "build-essential|compiles C code that some crates carry"
    have pkg-config || echo "pkg-config|finds OpenSSL for the build"
    pkg-config --exists openssl 2>/dev/null || echo "libssl-dev|HTTPS and SSH of the git client"
    have cmake || echo "cmake|builds the cryptography library"
    have clang || echo "clang|builds the cryptography library"
    have git || echo "git|remotes of rehearsals, and tests that check them"
    have ssh-keygen || echo "openssh-client|git checks the signatures of commits with it"
    [ -x /usr/sbin/sshd ] || echo "openssh-server|the state repository's host by SSH, in tests"
    have openssl || echo "openssl|the certificate of the state repository's host by HTTPS, in tests"
    have ip || echo "iproute2|workers of the chaos test get networks of their own"
    have curl || have cargo || echo "curl|downloads rustup"
    have xz || echo "xz-utils|unpacks archives of published rounds"
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo "ca-certificates|trusts the package registries"
    [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || echo "fonts-dejavu-core|letters in Chromium's pictures"
    javascript_is_installed || {
        have node || echo "nodejs|fetches the JavaScript that the build embeds"
        have npm || echo "npm|fetches the JavaScript that the build embeds"
    }
}

# Runs a command as root: directly, or by sudo, asking for a password only where there is a terminal to ask at.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        sudo "$@"
    fi
}

can_be_root() {
    [ "$(id -u)" = 0 ] && return
    have sudo || return
    sudo -n true 2>/dev/null || [ -t 0 ]
}

install_packages() {
    local missing names
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    names=$(cut -d'|' -f1 <<<"$missing" | tr '\n' ' ')
    say "Missing on this machine:"
    while IFS='|' read -r package why; do say "  $package: $why"; done <<<"$missing"

    have apt-get || die "this system has no apt-get, so please install these yourself (Debian's names): $names"
    can_be_root || die "installing needs root or sudo; please run as root: apt-get install $names"

    say "Installing with apt-get: $names"
    apt update
    if [[ " $names " == *" postgresql-15 "* ]]; then
        names=$(with_known_postgres "$names")
        no_server_of_its_own
    fi
    if [[ " $names " == *" openssh-server "* ]]; then no_ssh_server_that_runs; fi
    # shellcheck disable=SC2086 # one word a package
    apt install --no-install-recommends $names
    missing=$(missing_packages | cut -d'|' -f1 | tr '\n' ' ')
    [ -z "$missing" ] || die "still missing after the installation, please install yourself: $missing"
}

# apt-get without questions, its talk kept out of standard output. Waits for another apt-get that is at work.
apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >&2 ||
        die "apt-get $1 failed, see above"
}

# A newer Debian has a newer PostgreSQL, which serves as well.
with_known_postgres() {
    if apt-cache show postgresql-15 >/dev/null 2>&1; then
        echo "$1"
    else
        echo "${1/postgresql-15/postgresql}"
    fi
}

# Debian's package would start a server at once. Nobody asked for one: only its programs are needed.
no_server_of_its_own() {
    local config=/etc/postgresql-common/createcluster.conf
    apt install --no-install-recommends postgresql-common
    as_root sed -i 's/^#\? *create_main_cluster *=.*/create_main_cluster = false/' "$config"
}

# Debian's package would start one that listens to everybody, now and whenever the machine starts. Tests start their own.
no_ssh_server_that_runs() {
    as_root mkdir -p /etc/ssh
    as_root touch /etc/ssh/sshd_not_to_be_run
}

# --- Rust -------------------------------------------------------------------------------------------------------------

# Where rustup puts it, which a shell that is older than rustup's installation does not know.
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

install_rust() {
    if ! have cargo; then
        say "Installing Rust with rustup, for this user only: there is no cargo"
        local installer
        installer=$(mktemp)
        curl --proto '=https' --tlsv1.2 -sSf -o "$installer" https://sh.rustup.rs ||
            die "rustup could not be downloaded from https://sh.rustup.rs; please install Rust $RUST_VERSION yourself"
        sh "$installer" -y --no-modify-path --profile minimal --default-toolchain none >&2 ||
            die "rustup failed, see above; please install Rust $RUST_VERSION yourself"
        rm -f "$installer"
    fi
    if have rustup && ! rustup run "$RUST_VERSION" rustc --version >/dev/null 2>&1; then
        say "Installing Rust $RUST_VERSION, the version that rust-toolchain.toml asks for"
        rustup toolchain install "$RUST_VERSION" --profile minimal -c clippy -c rustfmt >&2 ||
            die "rustup could not install Rust $RUST_VERSION, see above"
    fi
    local version
    version=$(cargo --version 2>/dev/null | cut -d' ' -f2)
    [ "$(printf '%s\n' "$RUST_VERSION" "$version" | sort -V | head -n 1)" = "$RUST_VERSION" ] ||
        die "cargo is of version ${version:-unknown} but $RUST_VERSION or newer is needed; please install rustup or update Rust"
}

# --- JavaScript that the build embeds ---------------------------------------------------------------------------------

JAVASCRIPT_STAMP=node_modules/.installed-from

javascript_is_installed() { cmp -s package-lock.json "$JAVASCRIPT_STAMP"; }

install_javascript() {
    local major
    if javascript_is_installed; then return 0; fi
    major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    [ "$major" -ge "$MINIMUM_NODE" ] || die "node is of version $major but $MINIMUM_NODE or newer is needed; please update Node.js"
    say "Fetching the JavaScript that the build embeds (three, htmx), checked by the hashes in package-lock.json"
    npm ci --ignore-scripts --no-audit --no-fund >&2 || die "npm ci failed, see above"
    cp package-lock.json "$JAVASCRIPT_STAMP"
}

# Everything a build and a run need. Does nothing when all is there.
set_up() {
    install_packages
    install_rust
    install_javascript
}

# --- Build ------------------------------------------------------------------------------------------------------------

# One build for rehearsals and tests. Cargo picks the features of shared crates by what is built together, so building
# less here would compile much of it a second time there.
build() {
    cargo build --workspace --all-targets >&2
}

target_dir() { echo "${CARGO_TARGET_DIR:-$ROOT/target}"; }

# --- PostgreSQL for tests ---------------------------------------------------------------------------------------------

# Prints the folder of the server's programs.
find_postgres() {
    local folder
    if [ -n "${PG_BIN_DIR:-}" ]; then
        [ -x "$PG_BIN_DIR/initdb" ] && [ -x "$PG_BIN_DIR/postgres" ] && echo "$PG_BIN_DIR"
        return
    fi
    for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            echo "$folder"
            return
        fi
    done
    have initdb && have postgres && dirname "$(command -v initdb)"
}

# Starts a cluster of its own in a temporary folder and exports DATABASE_URL. It is gone when this script is: at the
# end by the trap, and after a SIGKILL because the kernel tells it (`--pdeathsig`).
start_test_postgres() {
    local programs account=()
    programs=$(find_postgres) || die "PostgreSQL's server programs were not found; install the package postgresql-15 or set PG_BIN_DIR"
    TEST_POSTGRES_HOME=$(mktemp -d "${TMPDIR:-/tmp}/assize-test-postgres.XXXXXX")
    TEST_POSTGRES_PID=
    trap stop_test_postgres EXIT
    if [ "$(id -u)" = 0 ]; then
        local user=nobody
        id postgres >/dev/null 2>&1 && user=postgres
        account=(--reuid="$user" --regid="$(id -g "$user")" --clear-groups)
        chown "$user" "$TEST_POSTGRES_HOME"
    fi
    local log=$TEST_POSTGRES_HOME/server.log
    # PostgreSQL wants to stand where its account may.
    (
        cd "$TEST_POSTGRES_HOME"
        exec setpriv "${account[@]}" "$programs/initdb" -D "$TEST_POSTGRES_HOME/cluster" -U postgres -E UTF8 \
            --locale=C.UTF-8 --auth-local=trust --auth-host=reject --no-sync
    ) >"$log" 2>&1 || die "initdb failed: $(tail -n 3 "$log")"
    (
        cd "$TEST_POSTGRES_HOME"
        exec setpriv "${account[@]}" --pdeathsig QUIT "$programs/postgres" -D "$TEST_POSTGRES_HOME/cluster" \
            -c listen_addresses= -c unix_socket_directories="$TEST_POSTGRES_HOME" -c max_connections=200 \
            -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c timezone=UTC
    ) >>"$log" 2>&1 &
    TEST_POSTGRES_PID=$!
    until [ "$(sed -n 8p "$TEST_POSTGRES_HOME/cluster/postmaster.pid" 2>/dev/null | tr -d ' ')" = ready ]; do
        kill -0 "$TEST_POSTGRES_PID" 2>/dev/null || die "PostgreSQL did not start: $(tail -n 3 "$log")"
        sleep 0.02
    done
    export DATABASE_URL="postgres://postgres@localhost/postgres?host=$TEST_POSTGRES_HOME"
}

stop_test_postgres() {
    if [ -n "$TEST_POSTGRES_PID" ]; then
        # SIGINT ends connections and stops; what is left in the cluster does not matter.
        kill -INT "$TEST_POSTGRES_PID" 2>/dev/null || true
        wait "$TEST_POSTGRES_PID" 2>/dev/null || true
    fi
    rm -rf "$TEST_POSTGRES_HOME"
}
