package transports

import "errors"

// Errors that a transport tells apart; test with errors.Is.
var (
	// ErrCursorLost: the log cannot go on from the position. Ask peers for what was missed and begin again with nil.
	ErrCursorLost = errors.New("transport: the position is gone from the log")
	// ErrTooLarge: a package is beyond Caps.MaxPackage.
	ErrTooLarge = errors.New("transport: the package is too large")
	// ErrNoPeer: nobody answered a request.
	ErrNoPeer = errors.New("transport: no peer answered")
	// ErrClosed: the transport was closed.
	ErrClosed = errors.New("transport: closed")
	// ErrDenied: the medium does not let this site do that. Trying again does not help; the operator must.
	ErrDenied = errors.New("transport: not permitted")
	// ErrClone: somebody else publishes under this site's identity.
	ErrClone = errors.New("transport: another replica publishes under this identity")
	// ErrNoSnapshot: the snapshot is not, or not any more, on the medium.
	ErrNoSnapshot = errors.New("transport: there is no such snapshot")
	// ErrDamaged: the content of a snapshot is not the one that it was stored with.
	ErrDamaged = errors.New("transport: the snapshot is damaged")
)
