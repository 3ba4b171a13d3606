package upstockcin7

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/publish"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// What became of prices: changes that Upstock took are kept for a while, an item for each call, and what a person
// decided about one, so that it can be said who did. What is held or refused stands with what was told (publish).
//
//	T#<tenant>#pricechanges  a#<account>⇥<time>#<random>        the changes of a call
//	                         d#<account>⇥<list>⇥<product>       what a person decided last

func pricePartition(tenantID string) string { return tenant.Partition(tenantID) + "#pricechanges" }

// appliedPrice is a change that Upstock took.
type appliedPrice struct {
	List    string          `json:"list"`
	Product string          `json:"product"`
	Old     json.RawMessage `json:"old,omitempty"`
	New     json.RawMessage `json:"new,omitempty"` // none = it is not in the list any more
	By      string          `json:"by,omitempty"`  // who said yes to it
}

// recordedPrices is the far side of prices, whose changes are recorded.
type recordedPrices struct {
	publish.Side
	run *catalogRun
}

// Put implements publish.Side. Prices that are new are not recorded: a first import is no change.
func (s recordedPrices) Put(ctx context.Context, batch []publish.Telling) (publish.Answer, error) {
	a, err := s.Side.Put(ctx, batch)
	if err != nil {
		return a, err
	}
	taken := map[string]bool{}
	for _, res := range a.Results {
		taken[res.ID] = res.Refused == ""
	}
	var changes []appliedPrice
	for _, t := range batch {
		if taken[t.ID] && t.Was != nil && !bytes.Equal(t.Was, t.Data) {
			changes = append(changes, appliedPrice{List: t.Group, Product: t.ID, Old: t.Was, New: t.Data})
		}
	}
	if len(changes) == 0 {
		return a, nil
	}
	if err := s.run.recordPrices(ctx, changes); err != nil { // Upstock has them: that counts
		s.run.Log.Error("changes of prices are not recorded", "tenant", s.run.Part.Tenant, "error", err)
	}
	return a, nil
}

func (r *catalogRun) recordPrices(ctx context.Context, changes []appliedPrice) error {
	keys := make([]publish.Key, len(changes))
	for i, c := range changes {
		keys[i] = publish.Key{Group: c.List, ID: c.Product}
	}
	by, err := r.decisions(ctx, r.Part.Tenant, r.account, keys)
	if err != nil {
		return err
	}
	for i := range changes {
		if d := by[keys[i]]; d.Yes != nil && bytes.Equal(d.Yes, changes[i].New) {
			changes[i].By = d.By
		}
	}
	data, err := table.Marshal(changes)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	key := table.Key{PK: pricePartition(r.Part.Tenant),
		SK: fmt.Sprintf("a#%s\t%s#%s", r.account, now.Format(priceTime), rand.Text()[:priceMark])}
	return r.table.Write(context.WithoutCancel(ctx), table.Put(table.Item{Key: key, Data: data,
		Expires: now.Add(keepPriceChanges).Truncate(time.Second)}))
}

// priceTime is a time as keys of changes have it.
const priceTime = "2006-01-02T15:04:05.000000000"

// priceMark is how many characters tell items of one time apart.
const priceMark = 8

// decided is what a person said of a price.
type decided struct {
	By  string          `json:"by,omitempty"`
	At  time.Time       `json:"at"`
	Yes json.RawMessage `json:"yes,omitempty"` // to this value; none = it was a no, or a yes to that there is none
}

func decidedKey(tenantID, account string, k publish.Key) table.Key {
	return table.Key{PK: pricePartition(tenantID), SK: "d#" + account + "\t" + k.Group + "\t" + k.ID}
}

// changeID is the id of a change that is held or refused: of this one, not of one that comes later.
func changeID(e publish.Entry) string {
	value := sha256.Sum256(e.Sent)
	return base64.RawURLEncoding.EncodeToString([]byte(e.Group + "\t" + e.ID + "\t" +
		strconv.FormatInt(e.Since.UnixNano(), 36) + "\t" + hex.EncodeToString(value[:8])))
}

// shownChange is a change as a person was shown it.
type shownChange struct {
	publish.Key
	since time.Time
	value string // stands for the new price
}

// changeOf reads the id of a change; ok is false where it is none.
func changeOf(id string) (c shownChange, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(id)
	parts := strings.Split(string(text), "\t")
	if err != nil || len(parts) != 4 {
		return c, false
	}
	nano, err := strconv.ParseInt(parts[2], 36, 64)
	return shownChange{publish.Key{Group: parts[0], ID: parts[1]}, time.Unix(0, nano), parts[3]}, err == nil
}

// is reports whether an entry still has that change: its new price, and not held anew since.
func (c shownChange) is(e publish.Entry) bool {
	now, ok := changeOf(changeID(e))
	return ok && now.Key == c.Key && now.value == c.value && (e.State != publish.IsHeld || !now.since.After(c.since))
}
