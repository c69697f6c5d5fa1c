package vtab

import (
	"errors"
	"testing"
)

// TestBrokenTransactions goes through the calls that SQLite makes: S, R and T are savepoint, release and rollback to the
// depth that follows, ! is the failure.
func TestBrokenTransactions(t *testing.T) {
	for calls, broken := range map[string]bool{
		"":               false,
		"!":              true,
		"S0":             false,
		"S0!":            true,
		"S0!T0":          false,
		"!S0T0":          true,
		"S0!R0":          true,
		"S0!R0S0T0":      true,
		"S0S1!R1T0":      false,
		"S0S1!R1R0S0T0":  true,
		"S0S1!T1":        false,
		"S0S1T1!T0":      false,
		"S0R0!S0S1R1T0":  true,
		"S0!S1T1":        true,
		"S0!T-":          false, // the savepoint that began the transaction
		"!T-":            false,
		"S0T0S1!R1S1T1":  true,
		"S0S1!R1S1T1T0":  false,
		"S0S1S2!R2R1T0":  false,
		"S0S1S2!R1T0":    false, // releasing the outer one releases the inner one too
		"S0S1S2!R1S1T1":  true,
		"S0!T0S1T1R1R0":  false,
		"S0!T0!S1T1R1R0": true,
	} {
		x := transaction{s: &Session{}}
		if err := x.Begin(); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(calls); i++ {
			if calls[i] == '!' {
				x.fail(errors.New("half way"))
				continue
			}
			n := int(calls[i+1] - '0')
			if calls[i+1] == '-' {
				n = -1
			}
			switch calls[i] {
			case 'S':
				x.Savepoint(n)
			case 'R':
				x.Release(n)
			case 'T':
				x.RollbackTo(n)
			}
			i++
		}
		if got := x.Sync() != nil; got != broken {
			t.Errorf("%q: broken is %v, want %v", calls, got, broken)
		}
		x.Rollback()
		if x.Sync() != nil {
			t.Errorf("%q: still broken after a rollback", calls)
		}
	}
}
