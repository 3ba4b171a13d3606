package joorcin7

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"stockbridge/internal/cin7omni"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
)

// A contact that is deleted in Cin7 Omni is in no list of changes. Once a week all ids are read, and what the mirror
// has beyond them is looked for by its id: only what Cin7 Omni says that it has not is taken away.

// listAll reads the ids of all contacts, to the empty page.
func (r *run) listAll(ctx context.Context) error {
	if err := r.awaitContacts(ctx); err != nil {
		return err
	}
	client, err := r.omni(ctx)
	if err != nil {
		return err
	}
	if r.place.After == "" {
		r.place.Pages = 0
	}
	for {
		since, n := placeOf(beginning(), r.place.After)
		var got cin7omni.Page[cin7omni.Contact]
		err := r.Part.Call(ctx, func(ctx context.Context) (err error) {
			got, err = client.ContactsPage(ctx, cin7omni.ContactsQuery{Since: since, Fields: []string{"type"}, Page: n})
			return err
		})
		if err != nil {
			return permission(err)
		}
		if !got.More {
			return nil
		}
		var ids []string
		for _, c := range got.Items {
			if c.Is(cin7omni.Customer) {
				ids = append(ids, strconv.FormatInt(c.ID, 10))
			}
		}
		err = r.Mirror.SaveSeen(ctx, r.Part.Tenant, JobAllContacts, r.Progress.Begun, r.place.Pages+1,
			[]byte(strings.Join(ids, " ")))
		if err != nil {
			return err
		}
		r.place.Pages, r.place.After = r.place.Pages+1, nextPage(got.Items, since, n)
		r.Progress.Done += len(ids)
		if err := r.Save(ctx); err != nil {
			return err
		}
	}
}

// takeMissing takes away what Cin7 Omni has no more.
func (r *run) takeMissing(ctx context.Context) error {
	client, err := r.omni(ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	pages, whole, err := r.Mirror.Seen(ctx, r.Part.Tenant, JobAllContacts, r.Progress.Begun, 1, r.place.Pages)
	if err != nil || !whole {
		return err // what is forgotten proves nothing: the next reading does
	}
	for _, page := range pages {
		for id := range strings.FieldsSeq(string(page)) {
			seen[id] = true
		}
	}
	for row, err := range r.Mirror.Ordered(ctx, r.Part.Tenant, contactRows, r.place.After) {
		if err != nil {
			return err
		}
		if seen[row.ID] {
			continue
		}
		if err := r.takeIfMissing(ctx, client, row.ID); err != nil {
			return err
		}
		r.place.After = row.ID
		if err := r.Save(ctx); err != nil {
			return err
		}
	}
	if n := r.place.Counts["deleted"]; n > 0 {
		return r.Ledger.RecordOnce(ctx, r.Part.Tenant, r.Progress.Begun, "joor "+r.Progress.ID, ledger.Event{
			Kind: "joor", Text: fmt.Sprintf("%d customers are not in Cin7 Omni any more.", n)})
	}
	return nil
}

// takeIfMissing takes a contact away that Cin7 Omni has not, or that is no customer any more.
func (r *run) takeIfMissing(ctx context.Context, client *cin7omni.Client, id string) error {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return err
	}
	var found cin7omni.Contact
	err = r.Part.Call(ctx, func(ctx context.Context) (err error) {
		found, err = client.Contact(ctx, number)
		return err
	})
	gone := rest.KindOf(err) == rest.NotFound
	if err != nil && !gone {
		return permission(err)
	}
	if !gone && found.Is(cin7omni.Customer) {
		return nil
	}
	if err := r.unsure(ctx); err != nil {
		return err
	}
	r.touch(id)
	if _, err := r.Mirror.Remove(ctx, r.Part.Tenant, contactRows, []string{id}); err != nil {
		return err
	}
	r.Count("deleted", 1)
	return nil
}
