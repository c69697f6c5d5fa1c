#!/usr/bin/env bash
# Measures build/tributary.so: run.sh [ROWS [RUNS]]. Prints for each measure the count, and the medians over the runs of
# CPU and wall microseconds for one (or of the value, where there is no time).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
rows=${1:-100000} runs=${2:-5}
make -s ext
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
library=${SQLITE:-$(gcc -print-file-name=libsqlite3.so.0)}
gcc -O2 -Wall -Wextra -Ivtab/loadable/sqlite3 -o "$work/bench" bench/extension/bench.c "$library"
for i in $(seq "$runs"); do
  mkdir "$work/$i"
  LD_LIBRARY_PATH=$(dirname "$library") "$work/bench" "$PWD/build/tributary.so" "$work/$i" "$rows" > "$work/$i.tsv"
  rm -rf "${work:?}/$i"
done
echo "library: $(stat -c %s build/tributary.so) bytes, $(xz -c build/tributary.so | wc -c) bytes as xz"
cat "$work"/*.tsv | awk -F'\t' '
  function median(list,   v, k, i, j, t) {
    k = split(list, v, " ")
    for (i = 2; i <= k; i++) for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return k ? v[int((k + 1) / 2)] : ""
  }
  { if (!($1 in n)) { order[++m] = $1; n[$1] = $2 } cpu[$1] = cpu[$1] " " $3; wall[$1] = wall[$1] " " $4 }
  END { for (i = 1; i <= m; i++) printf "%-50s %8s %10s %10s\n", order[i], n[order[i]], median(cpu[order[i]]), median(wall[order[i]]) }'
