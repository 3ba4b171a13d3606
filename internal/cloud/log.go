package cloud

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"stockbridge/internal/ledger"
)

// Namespace is where the metrics stand in CloudWatch.
const Namespace = "Stockbridge"

// NewLogger writes one JSON object a line, with the names that Lambda reads
// the level and the time by, and the invocation's requestId.
//
// A record with the attribute metric=<Name> also counts one of that metric:
// its line carries CloudWatch's embedded metric format, so that a metric costs
// no call and always has its log line.
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

// WithGroup keeps everything at the top: a metric is read nowhere else.
func (h *logHandler) WithGroup(string) slog.Handler { return h }

// The embedded metric format, as CloudWatch reads it from a log line.
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

// counted makes each order's end a line of the log and a metric.
func counted(log *slog.Logger) func(*ledger.Run) {
	return func(r *ledger.Run) {
		metric := "OrdersWaiting"
		switch {
		case r.State == ledger.Attention:
			metric = "OrdersAttention"
		case !r.SoldAt.IsZero() && time.Since(r.SoldAt) < time.Minute: // not its later steps
			metric = "OrdersSold"
		case !r.SoldAt.IsZero() || r.State == ledger.Cancelled:
			return
		}
		log.Info("order", "tenant", r.Tenant, "order", r.ID, "state", string(r.State), "why", r.Why, "sale", r.SaleNumber, "metric", metric)
		if n := len(r.Intents); n > 0 && r.Intents[n-1].Unknown && r.Intents[n-1].Answer == ledger.Open {
			log.Warn("an answer is unknown", "tenant", r.Tenant, "order", r.ID, "step", string(r.Intents[n-1].Step), "metric", "AnswersUnknown")
		}
	}
}
