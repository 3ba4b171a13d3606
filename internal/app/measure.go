package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"stockbridge/internal/limit"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// What the log tells of is also measured where a record names a metric; what measures is package cloud's to know.

// countRefused tells of deliveries that nobody proved to be from the vendor. It says no address: its end is a secret.
func countRefused(h http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &statusOf{ResponseWriter: w}
		h.ServeHTTP(s, r)
		if s.status == http.StatusUnauthorized {
			log.WarnContext(r.Context(), "a delivery was refused", "status", s.status, "metric", "WebhooksRefused")
		}
	})
}

// statusOf remembers the status of an answer.
type statusOf struct {
	http.ResponseWriter
	status int
}

func (s *statusOf) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// limiter lets package limit speak for package rest, and tells when an account has no calls left for what goes first,
// or its vendor refuses them.
type limiter struct {
	*limit.Limiter
	system tenant.System
	first  bool
	log    *slog.Logger
}

func (l *limiter) Take(ctx context.Context, cost int) (time.Time, error) {
	at, err := l.Limiter.TakeN(ctx, cost)
	if w, ok := errors.AsType[*limit.Wait](err); ok {
		if l.first {
			l.log.InfoContext(ctx, "no calls are left", "system", l.system, "metric", "BudgetSpent")
		}
		return at, &rest.Wait{Until: w.Until}
	}
	return at, err
}

// Throttled implements rest.Limiter.
func (l *limiter) Throttled(ctx context.Context, retryAfter time.Duration) {
	l.log.WarnContext(ctx, "a vendor refuses calls", "system", l.system, "retryAfter", retryAfter.String(),
		"metric", "VendorThrottles")
	l.Limiter.Throttled(ctx, retryAfter)
}
