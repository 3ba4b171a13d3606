package upstockcin7_test

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/catalogue"
)

// TestCatalogImages: a product comes with its image, by a link that works when Upstock is told of it, however long ago
// the records were read; and a link that is another one is no change.
func TestCatalogImages(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		images := func(tenant.Bundle) ([]tenant.Section, error) {
			set := catalogue.DefaultSettings()
			set.ProductImages = true
			return []tenant.Section{&set}, nil
		}
		_, err := s.process("console").app.Tenants.ChangeSettings(context.Background(), s.tenant, "", images)
		s.must(err)
		const file = `"Attachments":[{"FileName":"front.png","ContentType":"image/png","IsDefault":true}]`
		one := s.newProduct(`{"SKU":"IMG-1","Name":"Framed","PriceTier1":5,` + file + `}`)
		s.must(s.pair().Runner.Start(context.Background(), s.tenant, upstockcin7.JobMirror, 0))
		time.Sleep(5 * time.Hour)
		run, err := s.pair().ImportProducts(s.ctx(), s.bundle(), upstockcin7.Selection{IDs: []string{one}})
		s.must(err)
		s.until(run)
		s.rest()
		first := s.image(one, time.Now().Add(-5*time.Minute))
		before := s.writes()
		for range 2 {
			s.sync(upstockcin7.JobProducts)
			time.Sleep(26 * time.Hour)
		}
		s.sync(upstockcin7.JobProducts)
		if n := s.writes() - before; n > 0 || s.image(one, time.Time{}) != first {
			t.Errorf("links that are others cost %d writes", n)
		}
		s.edit("products", one, `{"Attachments":[{"FileName":"back.png","ContentType":"image/png","IsDefault":true}]}`)
		s.sync(upstockcin7.JobProducts)
		if now := s.image(one, time.Now()); !strings.Contains(now, "back.png") {
			t.Errorf("the image is %s", now)
		}
	})
}

// A product with an image that Upstock refuses is no reason to read all of Cin7 Core again each hour.
func TestCatalogImageRefused(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		images := func(tenant.Bundle) ([]tenant.Section, error) {
			set := catalogue.DefaultSettings()
			set.ProductImages = true
			return []tenant.Section{&set}, nil
		}
		_, err := s.process("console").app.Tenants.ChangeSettings(context.Background(), s.tenant, "", images)
		s.must(err)
		one := s.newProduct(`{"SKU":"IMG-1","Name":"Framed","PriceTier1":5,"Attachments":[{"FileName":"front.png",` +
			`"ContentType":"image/png","IsDefault":true}]}`)
		s.read()
		s.must(s.simUpstock.RefuseItems(s.acc.Upstock.Supplier, simupstock.Refusal{Records: "products",
			ExternalID: strings.ToLower(one), Error: "we do not like it"}))
		run, err := s.pair().ImportProducts(s.ctx(), s.bundle(), upstockcin7.Selection{IDs: []string{one}})
		s.must(err)
		if run = s.until(run); run.Result["refused"] != 1 {
			t.Fatalf("%+v", run)
		}
		s.rest()
		time.Sleep(time.Hour)
		s.newProduct(`{"SKU":"IMG-2","Name":"Later","PriceTier1":5}`) // the changes that are read next begin with this one
		s.sync(upstockcin7.JobProducts)
		time.Sleep(3 * time.Hour)
		was := s.mirrored().Started
		s.sync(upstockcin7.JobProducts)
		s.sync(upstockcin7.JobProducts)
		if now := s.mirrored().Started; !now.Equal(was) {
			t.Errorf("all was read again at %v, after %v", now, was)
		}
	})
}

// image is a product's image in Upstock, whose link is good until a time.
func (s *shop) image(id string, until time.Time) string {
	s.t.Helper()
	for _, p := range items[struct{ ExternalID, ImageURL string }](s, "/sim/upstock/products"+s.upAt()) {
		if !strings.EqualFold(p.ExternalID, id) {
			continue
		}
		u, err := url.Parse(p.ImageURL)
		s.must(err)
		expires, err := strconv.ParseInt(u.Query().Get("expires"), 10, 64)
		if err != nil || until.After(time.Unix(expires, 0)) {
			s.t.Errorf("the image is %q, told about %v: %v", p.ImageURL, until, err)
		}
		return p.ImageURL
	}
	s.t.Fatalf("product %s is not in Upstock", id)
	return ""
}
