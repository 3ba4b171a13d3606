package cloud

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
)

// Namespace is the namespace of the metrics in CloudWatch.
const Namespace = "Stockbridge"

// NewLogger returns a logger that writes one JSON object a line, with the level
// and the time named as Lambda expects, and the invocation's requestId.
//
// A record with the attribute metric=<Name> also counts one for that metric: its
// line has CloudWatch's embedded metric format, so a metric costs no call and
// always has its log line.
func NewLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(&logHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: rename})})
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

type logHandler struct{ slog.Handler }

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r.AddAttrs(slog.String("requestId", lc.AwsRequestID))
	}
	metric := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "metric" {
			metric = a.Value.String()
		}
		return metric == ""
	})
	if metric != "" {
		r.AddAttrs(slog.Any("_aws", embedded{r.Time.UnixMilli(), []directive{{
			Namespace, [][]string{{}}, []definition{{metric, "Count"}},
		}}}), slog.Int(metric, 1))
	}
	return h.Handler.Handle(ctx, r)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.Handler.WithAttrs(attrs)}
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
func logEnd(log *slog.Logger) func(app.Ended) {
	return func(e app.Ended) {
		metric, ok := counts[e.Result]
		if !ok {
			return
		}
		log.Info("order", "tenant", e.Tenant, "order", e.ID, "state", string(e.State), "why", e.Why, "sale",
			e.Made, "metric", metric)
		if n := len(e.Intents); n > 0 && e.Intents[n-1].Unknown && e.Intents[n-1].Answer == ledger.Open {
			log.Warn("an answer is unknown", "tenant", e.Tenant, "order", e.ID, "step", string(e.Intents[n-1].Step),
				"metric", "AnswersUnknown")
		}
	}
}
