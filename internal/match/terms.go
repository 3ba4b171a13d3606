package match

import "math"

// terms are the different texts of one kind in both lists, numbered, with how many records of each list have them.
type terms struct {
	ids  map[string]int32
	all  []term
	size [2]int // of the lists
}

type term struct {
	text string
	in   [2]int32 // how many records of each list have it
	last [2]int32 // the last record that it was counted for, from 1

	number, form, country bool // it has a digit, is a legal form, or one of countryWords
}

// nobody is the number of an empty text.
const nobody int32 = -1

// add numbers a text that a record of a list has. It counts once for each record.
func (t *terms) add(text string, side, record int) int32 {
	if text == "" {
		return nobody
	}
	id, ok := t.ids[text]
	if !ok {
		if t.ids == nil {
			t.ids = map[string]int32{}
		}
		id = int32(len(t.all))
		t.ids[text] = id
		t.all = append(t.all, term{text: text, number: isNumber(text), form: legalForms()[text],
			country: countryWords()[text]})
	}
	x := &t.all[id]
	if x.last[side] != int32(record)+1 {
		x.last[side] = int32(record) + 1
		x.in[side]++
	}
	return id
}

func (t *terms) text(id int32) string { return t.all[id].text }

// count is how many records of both lists have a text.
func (t *terms) count(id int32) int { return int(t.all[id].in[0] + t.all[id].in[1]) }

// alone reports whether one record of each list has it at most.
func (t *terms) alone(id int32) bool { return t.all[id].in[0] <= 1 && t.all[id].in[1] <= 1 }

// unseen is how many records with other texts are supposed beyond those of the lists: short lists say little of how
// common a text is.
const unseen = 200

// bits is the weight of two records' having the same text: the rarer it is, the less likely by chance.
func (t *terms) bits(id int32) float64 {
	return math.Log2(float64(t.size[0]+t.size[1]+unseen) / float64(t.count(id)+1))
}
