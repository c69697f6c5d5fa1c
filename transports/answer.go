package transports

import (
	"context"
	"time"
)

// AnswerBytes is how long an answer may be when neither the request nor the transport says less.
const AnswerBytes = 4 << 20

// Collect runs an Answerer up to the limit of the request: what a transport that sends an answer as a whole needs.
func Collect(ctx context.Context, r Request, answer Answerer) ([]Package, error) {
	limit := r.MaxBytes
	if limit <= 0 || limit > AnswerBytes {
		limit = AnswerBytes
	}
	var out []Package
	size := 0
	for p, err := range answer(ctx, r) {
		if err != nil {
			return nil, err
		}
		if size += len(p.Body); len(out) > 0 && size > limit {
			break
		}
		out = append(out, p)
	}
	return out, nil
}

// Limits of one batch that a transport hands to a subscriber.
const (
	BatchPackages = 256
	BatchBytes    = 4 << 20
)

// Wait returns after d, at once when wake fires, or with ctx's error when it ends. A nil wake never fires.
func Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
