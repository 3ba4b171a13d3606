package cloud

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"stockbridge/internal/app"
)

// Queue sends to the SQS queues, all of them standard queues.
type Queue struct {
	client *sqs.Client
	urls   map[app.Queue]string
}

// NewQueue sends to the queues of the given URLs.
func NewQueue(client *sqs.Client, urls map[app.Queue]string) *Queue {
	return &Queue{client, urls}
}

// Send puts a message into a queue, to be received after the delay at the
// earliest, which is whole seconds (rounded up) and 15 min at most. group makes
// it a fair queue: a standard queue with groups keeps one tenant's backlog from
// making others wait. A message may arrive twice; a Send that ends in an error
// may have been done.
func (q *Queue) Send(ctx context.Context, to app.Queue, body []byte, group string, delay time.Duration) error {
	url, ok := q.urls[to]
	if !ok {
		return fmt.Errorf("send to queue %s: it has no address", to)
	}
	in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(string(body))}
	if group != "" {
		in.MessageGroupId = &group
	}
	// The SDK leaves a zero out, which SQS takes for the queue's own delay: 0 in the template.
	in.DelaySeconds = int32(min(max((delay+time.Second-1)/time.Second, 0), 900))
	if _, err := q.client.SendMessage(ctx, in); err != nil {
		return fmt.Errorf("send to queue %s: %w", to, err)
	}
	return nil
}
