package upstockcin7

import (
	"context"
	"net/http"
)

func (p *Pair) Cin7Webhook() http.Handler                      { return http.NotFoundHandler() }
func (p *Pair) CheckWebhooks(ctx context.Context, j Job) error { return nil }
func (p *Pair) Backfill(ctx context.Context, j Job) error      { return nil }
func (p *Pair) Reconcile(ctx context.Context, j Job) error     { return nil }
