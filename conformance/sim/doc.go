// Package sim runs many replicas in one process, the real engine on the real SQLite, in a world that is made to go wrong:
// packages are lost, doubled, reordered, late and damaged, links are cut, the power goes and takes unsynced writes, disks
// are full, clocks are wrong, files are copied and restored from backups, and columns come and go at different times.
//
// Everything that happens is drawn from one seed. A seed is expanded into Options and a list of events; each event carries a
// seed of its own, so that a failing list can be shrunk by leaving events out without changing what the others do. There
// is one goroutine, and time is virtual: an hour of a clock that is wrong costs nothing. Most worlds have a Focus: where everything may
// happen, what takes three things at once hardly ever does.
//
// Faults are those that the design survives; what it does not promise to survive is not done (a disk that lies about
// syncs, two writers under one identity whose evidence was copied with the file and that never meet). In some worlds the
// application has a connection of its own, in DELETE mode; in some most packages are applied in eventual mode, where rows may be
// shown before what they came from, and only the ends are compared. In the end the world is healed, and then all must be equal:
// that is the oracle for liveness. oracle.go has the others, and model.go an executable model that says what every replica has
// to show, and what its packages may say.
//
// Worlds that have shown something are kept (History), as short as they go.
//
//	go test ./conformance/sim -run TestSim -seed=7          # one seed, with its history
//	make sim SEEDS=10000 TIME=1h
package sim
