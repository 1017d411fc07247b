#!/bin/sh
# Brings a fresh Debian host to where `make build` (setup.sh build) or `make test` (setup.sh test) can run:
# Debian packages, Node 24 and the npm packages, and the two compiled add-ons. Everything is keyed by what it
# was made from, so that a second run takes a fraction of a second. Runs before there is any Node.
set -eu
cd "$(dirname "$0")/.."

fail() {
  echo "setup: $1" >&2
  exit 1
}

# Compiled add-ons, kept outside the checkout so that the next clone on this machine need not compile again.
CACHE=/var/cache/tspod-build

# --- host -------------------------------------------------------------------------------------------------------

check_host() {
  [ "$(uname -s)" = Linux ] || fail "tspod runs containers of a Linux kernel: use a Linux host or virtual machine"
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) fail "there is no Node 24 from npm for $(uname -m): use an x86_64 or aarch64 host" ;;
  esac
  [ "$(id -u)" -eq 0 ] || fail "root is needed to install packages and to run pods: use \`sudo make …\`"
}

# --- Debian packages ----------------------------------------------------------------------------------------------

# Prints the packages for the purposes given as arguments.
listed_packages() {
  for purpose in "$@"; do
    awk -v purpose="$purpose" '$1 !~ /^#/ && $2 == purpose { print $1 }' scripts/debian-packages.txt
  done
}

install_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    fail "apt-get is not here and scripts/setup.sh knows no other package tool: use Debian 12 or 13, or Ubuntu 24.04"
  fi
  wanted=$(listed_packages "$@")
  # dpkg-query fails when one is unknown to it, which is just what is asked here.
  # shellcheck disable=SC2086
  present=$(dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
    awk '$2 == "installed" { print $1 }' || true)
  missing=$(printf '%s\n' "$wanted" | grep -vxF "${present:-none}" || true)
  # Any npm since 9 will do, from wherever it came.
  command -v npm >/dev/null || missing="$missing nodejs npm"
  [ -n "$missing" ] || return 0

  # Unquoted: a list of words.
  echo "setup: installing" $missing
  had_registry=$(command -v docker-registry || true)
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || fail "apt-get update failed (see above): is there a network, and are the sources right?"
  # shellcheck disable=SC2086
  apt-get install -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 $missing >/dev/null ||
    fail "apt-get install failed (see above): run it by hand: apt-get install$(printf ' %s' $missing)"
  # Tests start their own registry; the package's service would take port 5000 of a real host.
  if [ -z "$had_registry" ] && [ -d /run/systemd/system ] && command -v docker-registry >/dev/null; then
    systemctl disable --quiet --now docker-registry
  fi
}

# --- npm packages -------------------------------------------------------------------------------------------------

install_node_modules() {
  stamp=node_modules/.cache/tspod/npm
  key="$(sha256sum package-lock.json) $arch"
  [ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || return 0

  major=$(npm --version | cut -d. -f1)
  [ "$major" -ge 9 ] || fail "npm $(npm --version) is too old: install npm 9 or newer (apt-get install npm)"
  echo "setup: npm packages"
  # Not `npm ci`: npm 11's refuses the whole lock when a mirror does not serve the optional packages of foreign
  # platforms, so that they are missing from it. With --no-save the lock still decides every version and checksum.
  # Engine warnings of an old bootstrap Node mean nothing: what is installed runs on the Node that is installed.
  rm -rf node_modules
  npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error ||
    fail "npm install failed (see above): is the npm registry reachable?"
  mkdir -p "${stamp%/*}"
  printf '%s\n' "$key" >"$stamp"
}

# --- compiled add-ons ---------------------------------------------------------------------------------------------

# A cache that somebody else can write to would hand us foreign machine code to load as root.
usable_cache() {
  mkdir -p -m 0755 "$CACHE" 2>/dev/null || return 1
  [ ! -L "$CACHE" ] && [ "$(stat -c '%u %a' "$CACHE")" = '0 755' ]
}

# install_addon PACKAGE FILE: leaves node_modules/PACKAGE/build/Release/FILE, from the cache or compiled.
install_addon() {
  target=node_modules/$1/build/Release/$2
  version=$(sed -n 's/^ *"version": "\([^"]*\)".*/\1/p' "node_modules/$1/package.json" | head -n 1)
  system=$(. /etc/os-release && echo "$ID-${VERSION_ID:-rolling}")
  key=$1-$version-node-$node_version-$system-$arch
  stamp=node_modules/.cache/tspod/$1
  [ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || [ ! -f "$target" ] || return 0

  mkdir -p "${target%/*}" "${stamp%/*}"
  if usable_cache && [ -f "$CACHE/$key.node" ]; then
    cp "$CACHE/$key.node" "$target"
  else
    compile_addon "$1" "$2"
    if usable_cache; then
      cp "$target" "$CACHE/.$key.$$" && mv "$CACHE/.$key.$$" "$CACHE/$key.node"
    fi
  fi
  printf '%s\n' "$key" >"$stamp"
}

compile_addon() {
  echo "setup: compiling $1"
  log=node_modules/.cache/tspod/$1.log
  # node-gyp would download headers; the npm package of Node carries them.
  (
    cd "node_modules/$1"
    PATH="$node_home/bin:$PATH" npm_config_nodedir="$node_home" \
      "$node_home/bin/node" ../node-gyp/bin/node-gyp.js rebuild --release --jobs "$(nproc)"
  ) >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    fail "$1 did not compile; the whole log is $log"
  }
  [ -f "node_modules/$1/build/Release/$2" ] || fail "$1 compiled but left no $2; see $log"
}

# --- all of it ----------------------------------------------------------------------------------------------------

check_host
case ${1:-} in
  build) install_packages run build ;;
  test) install_packages run build test ;;
  *) fail "say for what: setup.sh build or setup.sh test" ;;
esac
install_node_modules
node_home=$PWD/node_modules/node-linux-$arch
node_version=$("$node_home/bin/node" --version) || fail "$node_home/bin/node does not start: remove node_modules and run again"
install_addon sqlite3 node_sqlite3.node
install_addon sd-notify notify.node
