package upstockcin7

import (
	"context"
	"time"

	"stockbridge/internal/publish"
	"stockbridge/internal/upstockcin7/catalogue"
)

// images returns the links to products' images, as they were last read.
func (r *catalogRun) images(ctx context.Context, products []string) (map[string]string, error) {
	rows, err := r.rowsAt(ctx, r.Part.Bundle, catalogue.ProductKind, products...)
	links := map[string]string{}
	for id, row := range rows {
		x, rerr := catalogue.ReadProduct(row)
		if rerr != nil {
			return nil, rerr
		}
		if x.ImageURL != "" {
			links[id] = x.ImageURL
		}
	}
	return links, err
}

// awaitImages has all records read anew before products are told with images of which the links are old: that costs a
// call for a thousand products, where one for each would cost a thousand. A run does so once, and for a time.
func (r *catalogRun) awaitImages(ctx context.Context, set publish.Set) error {
	if !r.settings.ProductImages || r.place.Set != "" {
		return nil
	}
	now, m := r.Now().UTC(), MirrorOf(r.Part.Bundle)
	if r.place.Since.IsZero() {
		if old, err := r.oldImages(ctx, set, now); err != nil || !old {
			return err
		}
		r.place.Since = now.Truncate(time.Second)
		if err := r.Save(ctx); err != nil {
			return err
		}
	} else if m.Step == "" && m.Started.After(r.place.Since) || now.Sub(r.place.Since) > catalogue.LinkGood {
		return nil
	}
	return r.waitForRecords(ctx, r.Part, "Cin7 Core's products are being read anew, for their images.")
}

// oldImages reports whether a product is to be told with an image whose link may not work any more. What waits for
// somebody to decide, or for a change, is not told now.
func (r *catalogRun) oldImages(ctx context.Context, set publish.Set, now time.Time) (bool, error) {
	for c, err := range r.publisher.Differences(ctx, r.Part.Tenant, set) {
		if err != nil {
			return false, err
		}
		switch c.Why {
		case publish.Refused, publish.Declined, publish.Held, publish.Pending:
			continue
		}
		if !catalogue.HasNewImage(c) {
			continue
		}
		x, err := r.productOf(ctx, r.Part.Tenant, c.ID)
		if err != nil || x != nil && now.Sub(x.ImageRead) > catalogue.LinkGood {
			return err == nil, err
		}
	}
	return false, nil
}
