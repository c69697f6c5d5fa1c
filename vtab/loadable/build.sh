#!/usr/bin/env bash
# Builds the loadable extension: build.sh OUTPUT [go build flags]
#
# GOOS, GOARCH and CC choose the platform. For Linux it is the one-file build: a C archive whose start routine is taken
# out of .init_array and called by onefile/entry.c instead. Elsewhere it is a plain c-shared library.
set -euo pipefail
out=$(realpath -m "$1"); shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
export CGO_ENABLED=1
os=$(go env GOOS) cc=$(go env CC)
command -v "${cc%% *}" >/dev/null || { echo "build.sh: no C compiler $cc (Debian package gcc)" >&2; exit 1; }
mkdir -p "$(dirname "$out")"
flags=(-trimpath -ldflags='-s -w -buildid=' "$@")

if [ "$os" != linux ]; then
  go build -buildmode=c-shared "${flags[@]}" -o "$out" ./cmd/tributary-ext
  rm -f "${out%.*}.h"
  exit
fi

tools=${cc%gcc} # a cross compiler's binutils have its prefix
command -v "${tools}objcopy" >/dev/null || tools=
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_CFLAGS="-O2 -g0 -fvisibility=hidden -DTRIBUTARY_ONEFILE" \
  go build -buildmode=c-archive "${flags[@]}" -o "$work/core.a" ./cmd/tributary-ext
(cd "$work" && "${tools}ar" x core.a)

# What follows relies on how Go lays out an archive. If that changes, the build must fail and not the loading.
fail() { echo "build.sh: $1: this version of Go lays out archives differently, and onefile/entry.c must follow" >&2; exit 1; }
starts=$("${tools}readelf" -SW "$work/go.o" | sed -nE 's/^ *\[ *[0-9]+\] \.init_array +INIT_ARRAY +[0-9a-f]+ [0-9a-f]+ 0*([0-9a-f]+) .*/\1/p')
[ "$starts" = 8 ] || fail "go.o has not exactly one start routine (.init_array: ${starts:-none})"
for o in "$work"/*.o; do
  if [ "$o" != "$work/go.o" ] && "${tools}readelf" -SW "$o" | grep -qE ' \.(init_array|ctors|preinit_array)'; then
    fail "$(basename "$o") has a start routine of its own"
  fi
done
"${tools}objcopy" --rename-section .init_array=goinit "$work/go.o"
"${tools}readelf" -SW "$work/go.o" | grep -q ' goinit ' || fail "the start routine could not be renamed"

$cc -O2 -g0 -Wall -Wextra -Wno-unused-parameter -fPIC -fvisibility=hidden -shared -o "$out" "$here/onefile/entry.c" "$work"/*.o \
  -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,noexecstack -Wl,-Bsymbolic -Wl,--version-script="$here/onefile/exports.map" -s -ldl -lpthread
exported=$("${tools}nm" -D --defined-only "$out" | awk '{print $3}' | sort | xargs)
[ "$exported" = "sqlite3_tributary_auto_init sqlite3_tributary_init" ] || fail "the library exports $exported"
