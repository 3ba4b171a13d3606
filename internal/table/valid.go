package table

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Valid checks a Write against the limits of the store. Every implementation
// calls it before anything is sent or written.
func Valid(ops ...Op) error {
	if len(ops) > MaxOps {
		return fmt.Errorf("%d operations in one write: %w", len(ops), ErrTooLarge)
	}
	seen := make(map[Key]bool, len(ops))
	total := 0
	for _, o := range ops {
		if err := validKey(o.Item.Key); err != nil {
			return err
		}
		if seen[o.Item.Key] {
			return fmt.Errorf("two operations on one item: %w", ErrTooLarge)
		}
		seen[o.Item.Key] = true
		if o.Kind != KindCheck && o.Item.Rev == "" {
			return errors.New("operation without a revision")
		}
		switch o.Kind {
		case KindCreate, KindReplace, KindPut, KindAhead:
			if err := validIndex(o.Item); err != nil {
				return err
			}
			n := size(o.Item)
			if n > MaxItemBytes {
				return fmt.Errorf("item of %d bytes: %w", n, ErrTooLarge)
			}
			total += n
		case KindRemove, KindCheck:
		default:
			return errors.New("operation of no kind")
		}
	}
	if total > MaxWrite {
		return fmt.Errorf("write of %d bytes: %w", total, ErrTooLarge)
	}
	return nil
}

// ValidKeys checks the keys of a Get.
func ValidKeys(keys ...Key) error {
	if len(keys) > MaxKeys {
		return fmt.Errorf("%d keys in one get: %w", len(keys), ErrTooLarge)
	}
	for _, k := range keys {
		if err := validKey(k); err != nil {
			return err
		}
	}
	return nil
}

func validKey(k Key) error {
	if !validString(k.PK, 2048) {
		return fmt.Errorf("partition key of %d bytes: %w", len(k.PK), ErrTooLarge)
	}
	if !validString(k.SK, 1024) {
		return fmt.Errorf("sort key of %d bytes: %w", len(k.SK), ErrTooLarge)
	}
	return nil
}

// validIndex checks the index keys of an item: DynamoDB refuses an item with one that is empty or too long.
func validIndex(it Item) error {
	for _, k := range []struct{ index, sort string }{{it.Index, it.Sort}, {it.Group, it.Order}} {
		if k.index != "" && (!validString(k.index, 2048) || !validString(k.sort, 1024)) {
			return fmt.Errorf("index key of %d and %d bytes: %w", len(k.index), len(k.sort), ErrTooLarge)
		}
	}
	return nil
}

// validString reports whether a string can be a key of at most the given length in bytes. Keys travel as JSON strings,
// which would silently change what is not UTF-8.
func validString(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s)
}

// size is the size of an item as DynamoDB counts it: names and values, a number by its digits.
func size(it Item) int {
	n := len("pk") + len(it.PK) + len("sk") + len(it.SK) + len("rev") + len(it.Rev) + len("data") + len(it.Data)
	if it.Index != "" {
		n += len("ix") + len(it.Index) + len("is") + len(it.Sort)
	}
	if it.Group != "" {
		n += len("gx") + len(it.Group) + len("gs") + len(it.Order)
	}
	if !it.Expires.IsZero() {
		n += len("ttl") + 8
	}
	return n
}

// settled returns the item as it will be read back, without what the store does not keep.
func settled(it Item) Item {
	if it.Index == "" {
		it.Sort = ""
	}
	if it.Group == "" {
		it.Order = ""
	}
	if !it.Expires.IsZero() {
		it.Expires = it.Expires.Truncate(time.Second)
	}
	return it
}
