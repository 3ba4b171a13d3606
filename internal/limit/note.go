package limit

import "context"

// Note counts a call that was made without a grant, whatever is left of the budget. The trial of a key is one: only its
// answer shows which account's budget it spent. A note that cannot be written is lost.
func (l *Limiter) Note(ctx context.Context) {
	if l.enter(ctx) != nil {
		return
	}
	defer l.leave()
	_ = l.change(ctx, func(k *bucket) bool {
		at := l.now().UnixMicro()
		k.clampFuture(at)
		if n := len(k.stamps); n > 0 {
			at = max(at, k.stamps[n-1])
		}
		k.add(l.budget, at, Rest, 1, l.scaled(trialFor).Microseconds())
		return true
	})
}
