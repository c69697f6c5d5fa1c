// Package bench holds the benchmarks of the hot paths: what a tracked table costs the programs that write to it, and how
// fast its changes are folded, pulled, applied and synced. They run over vtab/ncruces; package peers, a program below
// this folder, compares both hosts with other engines, and guard keeps counts that do not depend on the machine's load.
//
// There is nothing here to import. README.md says how to run it all and what each figure means.
package bench
