#!/usr/bin/env bash
# Builds the driver: build.sh OUTPUT. It is linked with the machine's own SQLite library (Debian package libsqlite3-0,
# which the package sqlite3 brings); LD_LIBRARY_PATH chooses another one when it runs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cc=${CC:-gcc}
library=$($cc -print-file-name=libsqlite3.so.0)
[ -e "$library" ] || { echo "build.sh: no libsqlite3.so.0 (Debian package libsqlite3-0)" >&2; exit 1; }
mkdir -p "$(dirname "$1")"
$cc -O2 -Wall -Wextra -Wno-unused-parameter -I"$here/../../vtab/loadable/sqlite3" -o "$1" "$here"/driver/*.c "$library" -lpthread
