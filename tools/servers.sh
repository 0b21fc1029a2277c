#!/usr/bin/env bash
# Builds the real servers that the integration tests need, at pinned versions, with Go, into ${SKEIN_SERVERS:-~/.cache/skein-servers}.
# usage: tools/servers.sh [NAME...]      NAME: nats-server minio prometheus promtool (default: all four)
# A server that is there at the pinned version is left alone. From nothing about 8 minutes on 2 cores. Prints the folder.
set -euo pipefail

folder=${SKEIN_SERVERS:-$HOME/.cache/skein-servers}
go_needed=1.26

say() { printf '%s\n' "$*" >&2; }

# module_of NAME: the Go module, its pinned version, the package inside it and the build flags.
module_of() {
  case $1 in
    nats-server) echo "github.com/nats-io/nats-server/v2 v2.15.2 ." ;;
    minio)       echo "github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c ." ;;
    prometheus)  echo "github.com/prometheus/prometheus v0.314.0 cmd/prometheus -tags remove_all_sd" ;;
    promtool)    echo "github.com/prometheus/prometheus v0.314.0 cmd/promtool -tags remove_all_sd" ;;
    *)           say "servers.sh: '$1' is none of: nats-server minio prometheus promtool"; exit 2 ;;
  esac
}

have_go() { command -v go >/dev/null 2>&1; }

# current NAME MODULE VERSION: whether the binary is there and, as far as Go can tell, of that version.
current() {
  [ -x "$folder/$1" ] || return 1
  have_go || return 0
  go version -m "$folder/$1" 2>/dev/null | awk -v m="$2" -v v="$3" '$2 == m && $3 == v { found = 1 } END { exit !found }'
}

# build NAME MODULE VERSION PACKAGE FLAGS...: as a tool of an empty module, because `go install PACKAGE@VERSION` refuses
# modules that replace others. The binary appears under its name only when it is whole.
build() {
  local name=$1 module=$2 version=$3 package=$2 work
  [ "$4" = . ] || package=$2/$4
  shift 4
  work=$(mktemp -d)
  say "building $name $version ..."
  if ! (
    cd "$work"
    printf 'module servers\n\ngo %s\n' "$go_needed" >go.mod
    go get -tool "$package@$version"
    go build -buildvcs=false "$@" -o "$folder/$name.building.$$" "$package"
  ) >"$folder/$name.log" 2>&1; then
    rm -rf "$work" "$folder/$name.building.$$"
    say "could not build $name; the last lines of $folder/$name.log:"
    tail -n 15 "$folder/$name.log" >&2
    exit 1
  fi
  mv "$folder/$name.building.$$" "$folder/$name"
  rm -rf "$work"
}

mkdir -p "$folder"
[ $# -gt 0 ] || set -- nats-server minio prometheus promtool
for name in "$@"; do
  specification=$(module_of "$name")
  read -r -a parts <<<"$specification"
  if current "$name" "${parts[0]}" "${parts[1]}"; then continue; fi
  if ! have_go; then
    say "cannot build $name: there is no 'go' on the PATH; install Go $go_needed or newer (https://go.dev/dl),"
    say "or put a $name binary on the PATH, or run a Docker engine: the tests take either"
    exit 1
  fi
  build "$name" "${parts[@]}"
done
echo "$folder"
