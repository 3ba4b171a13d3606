package upstockcin7

import "time"

// lately says that the table may have been put back to an earlier state.
func (w *work) lately(now time.Time) bool { return false }
