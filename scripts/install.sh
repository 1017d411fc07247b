#!/bin/sh
# install.sh install PREFIX: puts the bundle, its private Node and the unit templates below PREFIX.
# install.sh uninstall PREFIX: removes what an install recorded, and nothing else; refuses while there are pods.
# DESTDIR, when set, is put before every path that is written, for people who make packages.
set -eu
cd "$(dirname "$0")/.."

fail() {
  echo "install: $1" >&2
  exit 1
}

action=${1:-}
prefix=${2:-}
stage=${DESTDIR:-}
case $prefix in /*) ;; *) fail "PREFIX must be an absolute path, such as /usr/local" ;; esac
prefix=${prefix%/}
home=$prefix/lib/tspod
# One path a line, as it is without DESTDIR. A line that ends with `/` is a folder of ours with all it holds, one that
# ends with `/.` a folder that was missing before: removed when nothing else moved in.
manifest=$home/MANIFEST

remove_installed() {
  recorded=$(cat "$stage$manifest")
  rm -f "$stage$manifest"
  printf '%s\n' "$recorded" | while IFS= read -r path; do
    case $path in
      */../*) fail "$stage$manifest listed $path, which is not below $prefix: nothing more was removed" ;;
      "$prefix"/. | "$prefix"/*/.) ;;
      "$prefix"/*/) rm -rf "$stage$path" ;;
      "$prefix"/*) rm -f "$stage$path" ;;
      *) fail "$stage$manifest listed $path, which is not below $prefix: nothing more was removed" ;;
    esac
  done
  for folder in "$home/dist" "$home/bin" "$home/node/bin" "$home/node" "$home/templates/user" "$home/templates" "$home"; do
    rmdir "$stage$folder" 2>/dev/null || true
  done
  # Deepest first.
  printf '%s\n' "$recorded" | sort -r | while IFS= read -r path; do
    case $path in */.) rmdir "$stage${path%/.}" 2>/dev/null || true ;; esac
  done
}

# put MODE SOURCE TARGET: one file, recorded.
put() {
  install -D -m "$1" "$2" "$stage$3"
  printf '%s\n' "$3" >>"$stage$manifest"
}

# put_filled MODE SOURCE TARGET: the same for a file with holes.
put_filled() {
  filled=$(mktemp)
  sed -e "s|^home=\$|home=$home|" -e "s|@TSPOD@|$prefix/bin/tspod|g" -e "s|@HOME@|$home|g" "$2" >"$filled"
  put "$1" "$filled" "$3"
  rm -f "$filled"
}

install_all() {
  node=$(echo node_modules/node-linux-*/bin/node)
  [ -x "$node" ] && [ -f dist/tspod.cjs ] || fail "there is nothing built to install: run \`make build\` first"
  if [ -f "$stage$manifest" ]; then remove_installed; fi
  umask 022
  created=
  units=$prefix/lib/systemd
  share=$prefix/share
  for folder in "$prefix" "$prefix/bin" "$prefix/lib" "$units" "$units/system" "$units/user" "$share" \
    "$share/bash-completion" "$share/bash-completion/completions" "$share/zsh" "$share/zsh/site-functions" \
    "$share/fish" "$share/fish/vendor_completions.d"; do
    [ -d "$stage$folder" ] || created="$created$folder/.
"
  done
  install -d "$stage$home"
  printf '%s' "$created" >"$stage$manifest"
  put 755 "$node" "$home/node/bin/node"
  for file in dist/*.cjs dist/*.bytecode dist/*.node; do put 644 "$file" "$home/$file"; done
  # With their holes as well: `tspod systemd install` fills them for itself.
  for file in templates/*.service templates/*.timer templates/*.path templates/user/*; do
    case $file in
      templates/user/*) put_filled 644 "$file" "$units/user/${file##*/}" ;;
      *) put_filled 644 "$file" "$units/system/${file##*/}" ;;
    esac
    put 644 "$file" "$home/$file"
  done
  for file in templates/*; do
    case $file in
      *.service | *.timer | *.path | templates/user) ;;
      *.txt | *.bash | *.zsh | *.fish) put 644 "$file" "$home/$file" ;;
      *) put 755 "$file" "$home/$file" ;;
    esac
    case $file in
      *.bash) put 644 "$file" "$share/bash-completion/completions/tspod" ;;
      *.zsh) put 644 "$file" "$share/zsh/site-functions/_tspod" ;;
      *.fish) put 644 "$file" "$share/fish/vendor_completions.d/tspod.fish" ;;
    esac
  done
  put_filled 755 bin/tspod "$home/bin/tspod"
  put_filled 755 bin/tspod "$prefix/bin/tspod"
  # Root's commands leave their bytecode there.
  printf '%s\n' "$home/dist/cache/" >>"$stage$manifest"
  if [ -z "$stage" ]; then "$prefix/bin/tspod" --version; fi
}

case $action in
  install) install_all ;;
  uninstall)
    [ -f "$stage$manifest" ] || fail "nothing is installed below $stage$prefix (no $stage$manifest)"
    # Their exit hook would be gone: nothing would restart them or clean up after them.
    if [ -z "$stage" ] && [ -n "$("$prefix/bin/tspod" pod ps --quiet 2>/dev/null || true)" ]; then
      fail "there are still pods: remove them first (\`tspod pod ps\` lists them, \`tspod kube down FILE\` removes them)"
    fi
    remove_installed
    ;;
  *) fail "say \`install.sh install PREFIX\` or \`install.sh uninstall PREFIX\`" ;;
esac
if [ -z "$stage" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
