#!/usr/bin/env bash
# Builds what the tests of the loadable extension run: build.sh FOLDER. It makes FOLDER/driver, and the example in Go as
# FOLDER/example-go, both linked with the machine's own SQLite library (Debian package libsqlite3-0, which the package
# sqlite3 brings); LD_LIBRARY_PATH chooses another one when they run. The example in JavaScript wants a Node with
# node:sqlite: one is installed into FOLDER/node if there is none and npm can.
set -euo pipefail
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cc=${CC:-gcc}
library=$($cc -print-file-name=libsqlite3.so.0)
[ -e "$library" ] || { echo "build.sh: no libsqlite3.so.0 (Debian package libsqlite3-0)" >&2; exit 1; }
headers=$PWD/vtab/loadable/sqlite3

$cc -O2 -Wall -Wextra -Wno-unused-parameter -I"$headers" -o "$out/driver" conformance/native/driver/*.c "$library" -lpthread -ldl

mkdir -p "$out/lib" && ln -sf "$library" "$out/lib/libsqlite3.so"
(cd vtab/loadable/examples/go && CGO_ENABLED=1 CGO_CFLAGS="-I$headers" CGO_LDFLAGS="-L$out/lib" go build -tags libsqlite3 -o "$out/example-go" .)

has_sqlite() { "$1" -e "require('node:sqlite')" >/dev/null 2>&1; }
if ! has_sqlite node && ! has_sqlite "$out/node/node_modules/node/bin/node" && command -v npm >/dev/null; then
  mkdir -p "$out/node"
  timeout 60 npm install --silent --no-fund --no-audit --prefix "$out/node" node@24 || echo "build.sh: npm could not install node@24: the example in JavaScript is not run" >&2
fi
