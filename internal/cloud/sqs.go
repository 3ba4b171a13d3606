package cloud

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"stockbridge/internal/app"
)

// Queue sends to the SQS queues, which are all standard queues.
type Queue struct {
	client *sqs.Client
	urls   map[app.Queue]string
}

// NewQueue returns a Queue that sends to the queues at the URLs.
func NewQueue(client *sqs.Client, urls map[app.Queue]string) *Queue {
	return &Queue{client, urls}
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
	in := &sqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(string(body))}
	if group != "" {
		in.MessageGroupId = &group
	}
	// The SDK leaves out a zero, for which SQS uses the queue's own delay: 0 in the template.
	in.DelaySeconds = int32(min(max((delay+time.Second-1)/time.Second, 0), 900))
	if _, err := q.client.SendMessage(ctx, in); err != nil {
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
	wanted := map[types.QueueAttributeName]*int{
		types.QueueAttributeNameApproximateNumberOfMessages:           &d.Ready,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed:    &d.Delayed,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: &d.Received,
	}
	in := &sqs.GetQueueAttributesInput{QueueUrl: &url}
	for name := range wanted {
		in.AttributeNames = append(in.AttributeNames, name)
	}
	out, err := q.client.GetQueueAttributes(ctx, in)
	if err != nil {
		return d, fmt.Errorf("depth of queue %s: %w", of, err)
	}
	for name, n := range wanted {
		if *n, err = strconv.Atoi(out.Attributes[string(name)]); err != nil {
			return d, fmt.Errorf("depth of queue %s: %s: %w", of, name, err)
		}
	}
	return d, nil
}
