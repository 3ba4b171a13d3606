package main

import (
	"container/heap"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// queue is one queue as SQS keeps it: a received message is hidden for the
// visibility timeout and comes back unless it is deleted. One that came back too
// often goes to the dead-letter queue. Groups take turns, so that one group's
// messages do not delay another's.
//
// A queue is only in memory and forgets everything when its process dies. Nothing
// is lost by that, as by a lost message on AWS: the table is the record, and the
// sweep sends a new pointer to every order that is due.
type queue struct {
	name        string
	visibility  time.Duration
	maxReceives int
	dead        *queue // nil = none

	mu      sync.Mutex
	ready   map[string][]*message // by group, oldest first
	turns   []string              // groups that have a ready message, next first
	hidden  messageHeap           // delayed and received ones
	handles map[string]*message   // received, by receipt handle
	changed chan struct{}         // closed at the next send
}

// message is one message; receive returns copies.
type message struct {
	id, body, group, handle string
	sent, first             time.Time
	receives                int
	at                      time.Time // when it can be received (again)
	index                   int       // in hidden; -1 = not there
}

// Limits of SQS; see its quotas page.
const (
	maxBody  = 1 << 20
	maxGroup = 128
	maxDelay = 15 * time.Minute
)

func newQueue(name string, visibility time.Duration, maxReceives int, dead *queue) *queue {
	return &queue{
		name: name, visibility: visibility, maxReceives: maxReceives, dead: dead,
		ready: map[string][]*message{}, handles: map[string]*message{}, changed: make(chan struct{}),
	}
}

// send puts a message into the queue, unless it breaks one of SQS's limits.
func (q *queue) send(body, group string, delay time.Duration) error {
	if err := valid(body, group, delay); err != nil {
		return fmt.Errorf("send to %s: %w", q.name, err)
	}
	now := time.Now()
	q.put(&message{id: newUUID(), body: body, group: group, sent: now, at: now.Add(delay), index: -1})
	return nil
}

func valid(body, group string, delay time.Duration) error {
	switch {
	case body == "":
		return errors.New("the body is empty")
	case len(body) > maxBody:
		return fmt.Errorf("the body has %d bytes, more than %d", len(body), maxBody)
	case !utf8.ValidString(body):
		return errors.New("the body is not UTF-8")
	case delay < 0 || delay > maxDelay:
		return fmt.Errorf("the delay of %v is not between 0 and %v", delay, maxDelay)
	case len(group) > maxGroup:
		return fmt.Errorf("the group has %d characters, more than %d", len(group), maxGroup)
	}
	for _, r := range body {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return fmt.Errorf("the body has the character %U", r)
		}
	}
	for _, r := range group {
		if r <= ' ' || r > '~' {
			return fmt.Errorf("the group has the character %U", r)
		}
	}
	return nil
}

func (q *queue) put(m *message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m.at.After(time.Now()) {
		heap.Push(&q.hidden, m)
	} else {
		q.show(m)
	}
	close(q.changed) // wakes the receivers
	q.changed = make(chan struct{})
}

// show makes a message receivable. q.mu is held.
func (q *queue) show(m *message) {
	delete(q.handles, m.handle)
	m.handle = ""
	if len(q.ready[m.group]) == 0 {
		q.turns = append(q.turns, m.group)
	}
	q.ready[m.group] = append(q.ready[m.group], m)
}

// receive waits for messages and takes at most n. It returns none only when
// ctx is done.
func (q *queue) receive(ctx context.Context, n int) []message {
	for ctx.Err() == nil {
		got, dead, next, changed := q.take(n)
		for _, m := range dead {
			q.dead.put(m)
		}
		if len(got) > 0 {
			return got
		}
		var timer <-chan time.Time
		if !next.IsZero() {
			t := time.NewTimer(time.Until(next))
			defer t.Stop()
			timer = t.C
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer:
		}
	}
	return nil
}

func (q *queue) take(n int) (got []message, dead []*message, next time.Time, changed chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for len(q.hidden) > 0 && !q.hidden[0].at.After(now) {
		q.show(heap.Pop(&q.hidden).(*message))
	}
	for len(got) < n && len(q.turns) > 0 {
		group := q.turns[0]
		q.turns = q.turns[1:]
		m := q.ready[group][0]
		if rest := q.ready[group][1:]; len(rest) > 0 {
			q.ready[group] = rest
			q.turns = append(q.turns, group)
		} else {
			delete(q.ready, group)
		}
		if q.dead != nil && m.receives >= q.maxReceives {
			m.receives, m.first, m.at = 0, time.Time{}, time.Time{}
			dead = append(dead, m)
			continue
		}
		m.receives++
		if m.first.IsZero() {
			m.first = now
		}
		m.handle, m.at = rand.Text(), now.Add(q.visibility)
		q.handles[m.handle] = m
		heap.Push(&q.hidden, m)
		got = append(got, *m)
	}
	if len(q.hidden) > 0 {
		next = q.hidden[0].at
	}
	return got, dead, next, q.changed
}

// delete removes a received message. A handle whose time is over does nothing;
// SQS may still delete then, which nobody may rely on.
func (q *queue) delete(handle string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m := q.handles[handle]; m != nil {
		delete(q.handles, handle)
		heap.Remove(&q.hidden, m.index)
	}
}

// depth counts the messages to be received now, delayed ones, and received ones.
func (q *queue) depth() (visible, delayed, inFlight int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, list := range q.ready {
		visible += len(list)
	}
	return visible, len(q.hidden) - len(q.handles), len(q.handles)
}

// messageHeap is a heap of messages by the time at which they can be received.
type messageHeap []*message

func (h messageHeap) Len() int           { return len(h) }
func (h messageHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h messageHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *messageHeap) Push(x any) {
	m := x.(*message)
	m.index = len(*h)
	*h = append(*h, m)
}

func (h *messageHeap) Pop() any {
	old := *h
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	m.index = -1
	return m
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return strings.Join([]string{
		fmt.Sprintf("%x", b[:4]), fmt.Sprintf("%x", b[4:6]), fmt.Sprintf("%x", b[6:8]), fmt.Sprintf("%x", b[8:10]),
		fmt.Sprintf("%x", b[10:]),
	}, "-")
}
