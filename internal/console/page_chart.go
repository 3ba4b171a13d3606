package console

import (
	"strconv"

	"stockbridge/internal/upstockcin7/completeness"
)

// chart shows how many orders were approved on each of the last days, and how many of these are sold and shipped. It
// is a picture, and a table of the same.
type chart struct {
	Days    []chartDay // oldest first
	Most    string     // what the line on top stands for
	Checked moment     // when they were last compared
}

// chartDay is one day, with its bars in the picture's own units.
type chartDay struct {
	Name, Label             string // in the table and in the picture
	X                       int    // of the label's middle
	Bars                    []chartBar
	Compared                bool
	Approved, Sold, Shipped int
}

type chartBar struct {
	Is                  string // approved, sold or shipped
	X, Y, Width, Height int
}

// The picture's measures; the whole is 420 wide and 140 high.
const (
	chartDays   = 14
	chartStep   = 30  // from one day to the next
	chartTop    = 18  // where the line on top is
	chartBottom = 118 // where the bars stand
	barWidth    = 8
)

// chart is of the two weeks up to today. nil = nothing was compared in them.
func (v visit) chart(r completeness.Report) *chart {
	byDay, most := map[string]completeness.Counts{}, 1
	for _, d := range r.Days {
		byDay[d.Day] = d.Counts
		most = max(most, d.Counts.Approved)
	}
	c := &chart{Most: count(most, "order", "orders"), Checked: v.moment(r.Checked)}
	some := false
	for i := range chartDays {
		at := v.now.In(v.zone).AddDate(0, 0, i+1-chartDays)
		n, compared := byDay[v.day(at)]
		day := chartDay{
			Name: at.Format("Mon 2 Jan"), Label: strconv.Itoa(at.Day()), X: i*chartStep + chartStep/2,
			Bars:     bars(i*chartStep, n, most),
			Compared: compared, Approved: n.Approved, Sold: n.Sold, Shipped: n.Shipped,
		}
		some = some || compared
		c.Days = append(c.Days, day)
	}
	if !some {
		return nil
	}
	return c
}

// bars are a day's, which begins at x; the line on top stands for most.
func bars(x int, n completeness.Counts, most int) (list []chartBar) {
	for i, b := range []struct {
		is string
		n  int
	}{{"approved", n.Approved}, {"sold", n.Sold}, {"shipped", n.Shipped}} {
		if b.n == 0 {
			continue
		}
		height := max(2, min(b.n, most)*(chartBottom-chartTop)/most)
		list = append(list, chartBar{b.is, x + 2 + i*(barWidth+1), chartBottom - height, barWidth, height})
	}
	return list
}
