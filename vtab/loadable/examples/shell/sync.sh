#!/bin/sh
# sync.sh FILE call|answer: one half of a sync over standard input and output.
set -eu
exec 3<&0
sql() { printf '%s;\n' "$1" | sqlite3 -batch -bail -cmd ".timeout 10000" -cmd ".load ${TRIBUTARY:-./tributary}" "$file"; }

send() {
  sql "SELECT hex(package), cursor FROM outbox" | while IFS='|' read -r package cursor; do
    echo "$package"
    read -r answer <&3 && [ "$answer" = ok ]
    sql "UPDATE outbox SET acked = $cursor"
  done
  echo
}

receive() {
  while read -r package <&3 && [ -n "$package" ]; do
    sql "INSERT INTO inbox(package) VALUES (x'$package')"
    echo ok
  done
}

file=$1
sql "CREATE TABLE IF NOT EXISTS task(id TEXT PRIMARY KEY NOT NULL, title TEXT, done INT);
     SELECT tributary_track('task');
     CREATE VIRTUAL TABLE IF NOT EXISTS outbox USING stream_out(peer='friend');
     CREATE VIRTUAL TABLE IF NOT EXISTS inbox USING stream_in(peer='friend')" >/dev/null
if [ "$2" = call ]; then send; receive; else receive; send; fi
