package table_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"stockbridge/internal/table"
)

// shelf is what is on a shelf, as it is stored.
type shelf struct {
	Boxes int `json:"boxes"`
}

// A write states what it expects to be there. A refused write returns the item as it is.
func Example() {
	ctx := context.Background()
	t, err := table.Open("", table.Options{NoSync: true}) // a temporary file
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()

	key := table.Key{PK: "SHELF#A", SK: "tea"}
	data, err := table.Marshal(shelf{Boxes: 12})
	if err != nil {
		log.Fatal(err)
	}
	if err := t.Write(ctx, table.Create(table.Item{Key: key, Data: data})); err != nil {
		log.Fatal(err)
	}

	// Two people read it, and both write: the second is refused.
	first, _ := table.Read(ctx, t, key)
	second := first
	first.Data, _ = table.Marshal(shelf{Boxes: 11})
	second.Data, _ = table.Marshal(shelf{Boxes: 13})
	fmt.Println("first:", t.Write(ctx, table.Replace(first)))
	err = t.Write(ctx, table.Replace(second))
	fmt.Println("second:", err, errors.Is(err, table.ErrConflict))
	if c, ok := errors.AsType[*table.Conflict](err); ok {
		fmt.Printf("there is %s\n", c.Current[0].Data)
	}
	// Output:
	// first: <nil>
	// second: condition failed (1) true
	// there is {"boxes":11}
}

// ErrSoldOut is the error of an empty shelf.
var ErrSoldOut = errors.New("sold out")

// A change applies to what is stored now, even if others write too. It is one Write with all that belongs to it.
func ExampleChange() {
	ctx := context.Background()
	t, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()
	key := table.Key{PK: "SHELF#A", SK: "tea"}
	data, _ := table.Marshal(shelf{Boxes: 2})
	if err := t.Write(ctx, table.Create(table.Item{Key: key, Data: data})); err != nil {
		log.Fatal(err)
	}

	// take takes a box, and notes who has it.
	take := func(who string) error {
		read, err := table.Read(ctx, t, key)
		if err != nil {
			return err
		}
		_, err = table.Change(ctx, t, read, func(it table.Item) ([]table.Op, error) {
			var s shelf
			if err := table.Unmarshal(it.Data, &s); err != nil {
				return nil, err
			}
			if s.Boxes == 0 {
				return nil, ErrSoldOut
			}
			s.Boxes--
			it.Data, err = table.Marshal(s)
			taken := table.Create(table.Item{Key: table.Key{PK: "TAKEN", SK: who}})
			return []table.Op{table.Replace(it), taken}, err
		})
		return err
	}
	for _, who := range []string{"Aroha", "Bill", "Aroha", "Chen"} {
		fmt.Println(who, take(who))
	}
	// Output:
	// Aroha <nil>
	// Bill <nil>
	// Aroha sold out
	// Chen sold out
}

// After a conflict all the items are read again.
func ExampleRetryOnConflict() {
	ctx := context.Background()
	t, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()
	from, to := table.Key{PK: "SHELF#A", SK: "tea"}, table.Key{PK: "SHELF#B", SK: "tea"}
	if err := t.Write(ctx, table.Create(table.Item{Key: from, Data: []byte("12 boxes")})); err != nil {
		log.Fatal(err)
	}

	err = table.RetryOnConflict(ctx, func() error {
		items, err := t.Get(ctx, from, to)
		if err != nil || len(items) != 1 || items[0].Key != from {
			return err // there is nothing to move, or no room for it
		}
		return t.Write(ctx, table.Remove(items[0]), table.Create(table.Item{Key: to, Data: items[0].Data}))
	})
	moved, _ := table.Read(ctx, t, to)
	fmt.Printf("%s %v\n", moved.Data, err)
	// Output:
	// 12 boxes <nil>
}
