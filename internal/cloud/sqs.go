package cloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"stockbridge/internal/app"
)

// Queue sends to the SQS queues, which are all standard queues.
type Queue struct {
	sqs  service
	urls map[app.Queue]string
}

// newQueue returns a Queue that sends to the queues at the URLs.
func newQueue(sqs service, urls map[app.Queue]string) *Queue { return &Queue{sqs, urls} }

// message is what SQS is asked to send. Without a delay it goes by the queue's own: 0 in the template.
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html)
type message struct {
	QueueURL       string `json:"QueueUrl"`
	MessageBody    string
	MessageGroupID string `json:"MessageGroupId,omitempty"`
	DelaySeconds   int    `json:",omitempty"`
}

// Send puts a message into a queue, to be received after the delay: whole
// seconds (rounded up), and 15 min at most. group makes it a fair queue: in a
// standard queue with groups, one tenant's backlog does not make others wait. A
// message may arrive twice. A Send that ends in an error may have been done.
func (q *Queue) Send(ctx context.Context, to app.Queue, body []byte, group string, delay time.Duration) error {
	url, ok := q.urls[to]
	if !ok {
		return fmt.Errorf("send to queue %s: it has no address", to)
	}
	in := message{QueueURL: url, MessageBody: string(body), MessageGroupID: group,
		DelaySeconds: int(min(max((delay+time.Second-1)/time.Second, 0), 900))}
	var out struct{ MessageID string }
	err := q.sqs.call(ctx, "1.0", "AmazonSQS.SendMessage", in, &out)
	if err == nil && out.MessageID == "" {
		err = errors.New("the answer names no message")
	}
	if err != nil {
		return fmt.Errorf("send to queue %s: %w", to, err)
	}
	return nil
}

// Depth is about how many messages a queue holds, as SQS says it.
func (q *Queue) Depth(ctx context.Context, of app.Queue) (d app.Depth, err error) {
	url, ok := q.urls[of]
	if !ok {
		return d, fmt.Errorf("depth of queue %s: it has no address", of)
	}
	wanted := map[string]*int{
		"ApproximateNumberOfMessages":           &d.Ready,
		"ApproximateNumberOfMessagesDelayed":    &d.Delayed,
		"ApproximateNumberOfMessagesNotVisible": &d.Received,
	}
	in := struct {
		QueueURL       string `json:"QueueUrl"`
		AttributeNames []string
	}{url, slices.Collect(maps.Keys(wanted))}
	var out struct{ Attributes map[string]string }
	if err = q.sqs.call(ctx, "1.0", "AmazonSQS.GetQueueAttributes", in, &out); err != nil {
		return d, fmt.Errorf("depth of queue %s: %w", of, err)
	}
	for name, n := range wanted {
		if *n, err = strconv.Atoi(out.Attributes[name]); err != nil {
			return d, fmt.Errorf("depth of queue %s: %s: %w", of, name, err)
		}
	}
	return d, nil
}
