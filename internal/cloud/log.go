package cloud

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
)

// Namespace is the namespace of the metrics in CloudWatch where METRICS_NAMESPACE names none.
const Namespace = "Stockbridge"

// NewLogger returns a logger that writes one JSON object a line, with the level
// and the time named as Lambda expects, and the invocation's requestId.
//
// A record with the attribute metric=<Name> is also a value of that metric: of the attribute of that name, else 1. Its
// line has CloudWatch's embedded metric format, so a metric costs no call and always has its log line. It is written
// whatever the level is: below it, as a line of that level, since Lambda leaves out what is below, metrics too.
func NewLogger(w io.Writer, level slog.Level, namespace string) *slog.Logger {
	lines := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: rename})
	return slog.New(&logHandler{lines, level, namespace})
}

// Metric is how a metric is written: in which unit, and by which attribute of its line also apart.
type Metric struct {
	Unit string // "" = Count
	By   string // "" = by none
}

// Metrics are those that records may have.
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html)
func Metrics() map[string]Metric {
	return map[string]Metric{
		"OrdersAccepted": {}, "OrdersSold": {}, "OrdersWaiting": {}, "OrdersAttention": {}, "AnswersUnknown": {},
		"OldestDue":       {Unit: "Seconds"},
		"JobsStarted":     {By: "job"},
		"JobLag":          {Unit: "Seconds", By: "job"},
		"JobsGivenUp":     {},
		"VendorThrottles": {By: "system"}, "BudgetSpent": {By: "system"},
		"WebhooksRefused": {},
	}
}

func rename(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 {
		switch a.Key {
		case slog.TimeKey:
			a.Key = "timestamp"
		case slog.MessageKey:
			a.Key = "message"
		}
	}
	return a
}

type logHandler struct {
	slog.Handler
	level     slog.Level
	namespace string
}

// Enabled reports whether records of a level are looked at: any that may have a metric is.
func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= min(h.level, slog.LevelInfo)
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	has := map[string]bool{}
	metric := ""
	r.Attrs(func(a slog.Attr) bool {
		if has[a.Key] = true; a.Key == "metric" {
			metric = a.Value.String()
		}
		return true
	})
	if metric == "" && r.Level < h.level {
		return nil
	}
	r.Level = max(r.Level, h.level)
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r.AddAttrs(slog.String("requestId", lc.AwsRequestID))
	}
	if metric != "" {
		r.AddAttrs(slog.Any("_aws", h.embed(r.Time, metric, has)))
		if !has[metric] {
			r.AddAttrs(slog.Int(metric, 1))
		}
	}
	return h.Handler.Handle(ctx, r)
}

// embed is what CloudWatch reads of a record with these attributes.
func (h *logHandler) embed(at time.Time, metric string, has map[string]bool) embedded {
	m := Metrics()[metric]
	by := [][]string{{}}
	if m.By != "" && has[m.By] {
		by = append(by, []string{m.By})
	}
	return embedded{at.UnixMilli(), []directive{{
		h.namespace, by, []definition{{metric, cmp.Or(m.Unit, "Count")}},
	}}}
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.Handler.WithAttrs(attrs), h.level, h.namespace}
}

// WithGroup makes no group: a metric is read only at the top level.
func (h *logHandler) WithGroup(string) slog.Handler { return h }

// embedded is the embedded metric format, which CloudWatch reads from a log line.
type embedded struct {
	Timestamp         int64
	CloudWatchMetrics []directive
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct{ Name, Unit string }

// counts are the metrics that count how turns end. What has none adds nothing to what was counted before.
var counts = map[app.Result]string{
	app.Done: "OrdersSold", app.Waits: "OrdersWaiting", app.Stopped: "OrdersAttention",
}

// logEnd returns a function that logs and counts how a turn of an order ended.
func logEnd(log *slog.Logger) func(context.Context, app.Ended) {
	return func(ctx context.Context, e app.Ended) {
		metric, ok := counts[e.Result]
		if !ok {
			return
		}
		log.InfoContext(ctx, "order", "tenant", e.Tenant, "order", e.ID, "state", string(e.State), "why", e.Why, "sale",
			e.Made, "metric", metric)
		if n := len(e.Intents); n > 0 && e.Intents[n-1].Unknown && e.Intents[n-1].Answer == ledger.Open {
			log.WarnContext(ctx, "an answer is unknown", "tenant", e.Tenant, "order", e.ID,
				"step", string(e.Intents[n-1].Step), "metric", "AnswersUnknown")
		}
	}
}
