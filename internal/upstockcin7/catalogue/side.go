package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/publish"
	"stockbridge/internal/rest"
	"stockbridge/internal/upstock"
)

// soon is when a record is told again that was refused for what may pass by itself: with the next run of an hour.
const soon = 30 * time.Minute

// errNoFollow: Upstock decides at once.
var errNoFollow = errors.New("upstock has nothing pending")

// ProductSide is Upstock's products.
type ProductSide struct {
	Client *upstock.Client
	// Images returns a link to the image of each of some products, as fresh as can be had. A product without one keeps
	// the image that Upstock has. Nil: no product has an image.
	Images func(ctx context.Context, products []string) (map[string]string, error)
}

// Most implements publish.Side.
func (s ProductSide) Most() int { return upstock.MaxBatch }

// Follow implements publish.Side.
func (s ProductSide) Follow(context.Context, string, []publish.Telling) (publish.Answer, error) {
	return publish.Answer{}, errNoFollow
}

// Put implements publish.Side. What is to go is told as discontinued, as it was told last: products cannot be removed.
func (s ProductSide) Put(ctx context.Context, batch []publish.Telling) (answer publish.Answer, err error) {
	products, done, err := records(batch, func(p *upstock.Product) { p.Status = upstock.Discontinued })
	if err != nil {
		return answer, err
	}
	if err := s.link(ctx, products); err != nil {
		return answer, err
	}
	return put(ctx, products, done, s.Client.PutProducts)
}

// link puts links in place of what records say of images.
func (s ProductSide) link(ctx context.Context, products []upstock.Product) (err error) {
	var with []string
	for _, p := range products {
		if strings.HasPrefix(p.ImageURL, imageMark) && p.Status != upstock.Discontinued {
			with = append(with, p.ExternalID)
		}
	}
	var links map[string]string
	if s.Images != nil && with != nil {
		if links, err = s.Images(ctx, with); err != nil {
			return err
		}
	}
	for i := range products {
		p := &products[i]
		p.ImageURL = links[p.ExternalID]
		p.OwnImage = p.ImageURL == ""
	}
	return nil
}

// CustomerSide is Upstock's customers. One that is in Upstock under no externalId yet is linked before.
type CustomerSide struct{ Client *upstock.Client }

// Most implements publish.Side.
func (s CustomerSide) Most() int { return upstock.MaxBatch }

// Follow implements publish.Side.
func (s CustomerSide) Follow(context.Context, string, []publish.Telling) (publish.Answer, error) {
	return publish.Answer{}, errNoFollow
}

// Put implements publish.Side. Who is to go is told as inactive and without a list, so that the list can go too.
func (s CustomerSide) Put(ctx context.Context, batch []publish.Telling) (answer publish.Answer, err error) {
	customers, done, err := records(batch, func(c *upstock.CustomerRecord) {
		c.Active, c.PriceListExternalID = false, ""
	})
	if err != nil {
		return answer, err
	}
	return put(ctx, customers, done, s.Client.PutCustomers)
}

// records are the records of a batch as they are sent: those that are to go as they were, with what gone makes of them.
// Done are the results of those that go and were never there.
func records[T any](batch []publish.Telling, gone func(*T)) (list []T, done []publish.Result, err error) {
	for _, t := range batch {
		var v T
		data := t.Data
		if data == nil {
			data = t.Was
		}
		if data == nil {
			done = append(done, publish.Result{ID: t.ID})
			continue
		}
		if err := json.Unmarshal(data, &v); err != nil {
			return nil, nil, fmt.Errorf("read what is told of %s: %w", t.ID, err)
		}
		if t.Data == nil {
			gone(&v)
		}
		list = append(list, v)
	}
	return list, done, nil
}

// put makes one call with all records, unless there are none.
func put[T any](
	ctx context.Context, list []T, done []publish.Result,
	call func(context.Context, []T) ([]upstock.BatchResult, error),
) (answer publish.Answer, err error) {
	if len(list) == 0 {
		return publish.Answer{Results: done}, nil
	}
	results, err := call(ctx, list)
	if err != nil {
		return answer, err
	}
	return publish.Answer{Results: append(done, resultsOf(results, time.Time{})...)}, nil
}

// resultsOf are what Upstock says of records. Again is when those are told again that it refused; zero = not by
// themselves.
func resultsOf(results []upstock.BatchResult, again time.Time) (list []publish.Result) {
	for _, r := range results {
		res := publish.Result{ID: r.ExternalID, Refused: r.Refused()}
		if r.ID != 0 {
			res.TheirID = strconv.FormatInt(r.ID, 10)
		}
		if res.Refused != "" {
			res.Due = again
		}
		list = append(list, res)
	}
	return list
}

// ListSide is Upstock's price lists.
type ListSide struct{ Client *upstock.Client }

// Most implements publish.Side.
func (s ListSide) Most() int { return 1 }

// Follow implements publish.Side.
func (s ListSide) Follow(context.Context, string, []publish.Telling) (publish.Answer, error) {
	return publish.Answer{}, errNoFollow
}

// Put implements publish.Side. A list that customers still have cannot go; it is tried again later.
func (s ListSide) Put(ctx context.Context, batch []publish.Telling) (answer publish.Answer, err error) {
	for _, t := range batch {
		res := publish.Result{ID: t.ID}
		if t.Data == nil {
			res.Refused, err = s.remove(ctx, t.ID)
		} else {
			var l upstock.PriceList
			if err = json.Unmarshal(t.Data, &l); err == nil {
				err = s.Client.PutPriceList(ctx, t.ID, l.Name, l.Currency)
			}
		}
		if err != nil {
			return answer, err
		}
		if res.Refused != "" {
			res.Due = time.Now().Add(soon)
		}
		answer.Results = append(answer.Results, res)
	}
	return answer, nil
}

func (s ListSide) remove(ctx context.Context, id string) (refused string, err error) {
	err = s.Client.DeletePriceList(ctx, id)
	switch rest.KindOf(err) {
	case rest.NotFound:
		return "", nil
	case rest.Conflict:
		return "Customers in Upstock still have this price list.", nil
	}
	return "", err
}

// PriceSide is the prices of Upstock's price lists.
type PriceSide struct {
	Client *upstock.Client
	// Missing, if set, hears of a list that Upstock does not have although it was told: somebody removed it there.
	Missing func(ctx context.Context, list string) error
}

// Most implements publish.Side.
func (s PriceSide) Most() int { return upstock.MaxPrices }

// Follow implements publish.Side.
func (s PriceSide) Follow(context.Context, string, []publish.Telling) (publish.Answer, error) {
	return publish.Answer{}, errNoFollow
}

// Put implements publish.Side. A price is refused where Upstock refused its product, and is tried again later; so is
// one whose list is missing.
func (s PriceSide) Put(ctx context.Context, batch []publish.Telling) (answer publish.Answer, err error) {
	list, kept := batch[0].Group, 0
	prices := make([]upstock.Price, len(batch))
	for i, t := range batch {
		prices[i] = upstock.Price{ProductExternalID: t.ID, Price: PriceOf(t.Data)}
		if t.Data != nil {
			kept++
		}
	}
	again := time.Now().Add(soon)
	results, err := s.Client.PutPrices(ctx, list, prices)
	if rest.KindOf(err) != rest.NotFound {
		return publish.Answer{Results: resultsOf(results, again)}, err
	}
	if kept > 0 && s.Missing != nil {
		if err := s.Missing(ctx, list); err != nil {
			return answer, err
		}
	}
	for _, t := range batch {
		res := publish.Result{ID: t.ID}
		if t.Data != nil {
			res.Refused, res.Due = "Upstock does not have this price list any more.", again
		}
		answer.Results = append(answer.Results, res)
	}
	return answer, nil
}

// Hold is publish.Set.Hold for the set of prices: it says why a change waits for a person's yes; "" = it does not.
func (s Settings) Hold(c publish.Change) string {
	price := PriceOf(c.Data)
	if price == nil {
		return ""
	}
	if why := givenAway(*price); why != "" {
		return why
	}
	was := PriceOf(c.Was)
	if was == nil || !s.PriceHoldPercent.Valid {
		return ""
	}
	most := s.PriceHoldPercent.Decimal
	if !apart(*was, *price, most) {
		return ""
	}
	return fmt.Sprintf("From %s to %s%s. Changes of more than %s %% wait for a yes.", upstock.PriceText(*was),
		upstock.PriceText(*price), by(*was, *price), most)
}

// by is how much more or less a price is than another, in words; "" where that was 0 or less.
func by(was, price decimal.Decimal) string {
	if !was.IsPositive() {
		return ""
	}
	part := price.Sub(was).Shift(2).DivRound(was, 1)
	if part.IsNegative() {
		return ", which is " + part.Neg().String() + " % less"
	}
	return ", which is " + part.String() + " % more"
}
