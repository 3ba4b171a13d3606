package limit

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sixty calls a minute, as Cin7 Core allows each API application.
func sixty() Budget { return Budget{Rates: []Rate{{Calls: 60, Window: Minute}}, Shared: true} }

// threeHundred calls a minute, as Upstock allows.
func threeHundred() Budget { return Budget{Rates: []Rate{{Calls: 300, Window: Minute}}} }

// threeRates at once: 3 calls a second, 60 a minute and 5,000 a day. A second is less than clocks differ; 3 in 3 s is
// no slower than 60 a minute, and nearly as safe as 1 a second.
func threeRates() Budget {
	return Budget{Rates: []Rate{{Calls: 3, Window: 3 * time.Second}, {Calls: 60, Window: Minute},
		{Calls: 5000, Window: 24 * time.Hour, Kept: 150}}}
}

func TestBucketTake(t *testing.T) {
	const s = int64(time.Second / time.Microsecond)
	two := Budget{Rates: []Rate{{Calls: 2, Window: 10 * time.Second}}}
	both := Budget{Rates: []Rate{{Calls: 2, Window: 10 * time.Second}, {Calls: 3, Window: 60 * time.Second}}}
	daily := Budget{Rates: []Rate{{Calls: 2000, Window: 96 * time.Second}}} // slices of a second
	ten := Budget{Rates: []Rate{{Calls: 10, Window: 10 * time.Second}}}
	now := 1000 * s
	five, most := slices.Repeat([]int64{now - 4*s}, 5), slices.Repeat([]int64{now - 4*s}, 58)
	for _, c := range []struct {
		name      string
		have      bucket
		budget    Budget
		class     Class
		at, until int64
	}{
		{"empty", bucket{}, two, First, now, 0},
		{"room for one", bucket{stamps: []int64{now - s}}, two, First, now, 0},
		{"full", bucket{stamps: []int64{now - 4*s, now - s}}, two, First, 0, now + 6*s},
		{"full to the instant", bucket{stamps: []int64{now - 10*s, now - s}}, two, First, now, 0},
		{"a newer stamp than our clock", bucket{stamps: []int64{now + s}}, two, First, now + s, 0},
		{"the longer window", bucket{stamps: []int64{now - 50*s, now - 40*s, now - 30*s}}, both, First, 0, now + 10*s},
		{"the later of two", bucket{stamps: []int64{now - 59*s, now - 2*s, now - s}}, both, First, 0, now + 8*s},
		{"blocked", bucket{blockedUntil: now + s}, two, First, 0, now + s},
		{"block over", bucket{blockedUntil: now}, two, First, now, 0},
		{"first ignores the mark", bucket{wantedUntil: now + s}, two, First, now, 0},
		{"second yields to the mark", bucket{wantedUntil: now + s, lastSecond: now - s}, two, Second, 0, now + s},
		{"second has its turn", bucket{wantedUntil: now + s, lastSecond: now - 60*s}, two, Second, now, 0},
		{"second until its turn", bucket{wantedUntil: now + 60*s, lastSecond: now - 30*s}, two, Second, 0, now + 30*s},
		{"second does not spread", bucket{stamps: five, paced: now + s, lastSecond: now - s}, ten, Second, now, 0},
		{"bulk before it is due", bucket{stamps: five, paced: now + s, lastSecond: now - s}, ten, Bulk, 0, now + s},
		{"bulk when it is due", bucket{stamps: five, paced: now, lastSecond: now - s}, ten, Bulk, now, 0},
		{"bulk where most is free", bucket{stamps: five[1:], paced: now + s, lastSecond: now - s}, ten, Bulk, now, 0},
		{"bulk leaves calls free", bucket{stamps: most, lastSecond: now - s}, sixty(), Bulk, 0, now + 59*s},
		{"second takes them", bucket{stamps: most, lastSecond: now - s}, sixty(), Second, now, 0},
		{"bulk has its turn", bucket{stamps: most, paced: now + s, lastSecond: now - 60*s}, sixty(), Bulk, now, 0},
		{"slices, room", bucket{counts: []count{{900, 1999}}}, daily, First, now, 0},
		{"slices, full", bucket{counts: []count{{990, 1000}, {995, 1000}}}, daily, First, 0, 1087 * s},
		{"slices, over", bucket{counts: []count{{990, 1}, {995, 2000}}}, daily, First, 0, 1092 * s},
		{"slices, past", bucket{counts: []count{{900, 2000}, {995, 1}}}, daily, First, now, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, until := c.have.take(c.budget, c.class, Rest, 1, 60*s, now)
			if at != c.at || until != c.until {
				t.Errorf("take = %d, %d; want %d, %d", at-now, until-now, c.at-now, c.until-now)
			}
		})
	}
}

func TestBucketEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64()
		want := bucket{blockedUntil: n.Draw(t, "blocked"), wantedUntil: n.Draw(t, "wanted"),
			lastSecond: n.Draw(t, "second")}
		want.stamps = rapid.SliceOfN(rapid.Int64Range(0, math.MaxInt64), 0, 400).Draw(t, "stamps")
		for range rapid.IntRange(0, 100).Draw(t, "counts") {
			want.counts = append(want.counts, count{n.Draw(t, "slice"), n.Draw(t, "n")})
		}
		for range want.stamps {
			want.shares = append(want.shares, Share(rapid.IntRange(0, 3).Draw(t, "share")))
		}
		for i := range want.askedUntil {
			want.askedUntil[i] = n.Draw(t, "asked")
		}
		want.paced = n.Draw(t, "paced")
		want.trials = rapid.Int64Range(0, 100).Draw(t, "trials")
		for range rapid.IntRange(0, 3).Draw(t, "windows") {
			want.windows = append(want.windows, fixed{n.Draw(t, "from"), n.Draw(t, "to"),
				rapid.Int64Range(0, math.MaxInt64).Draw(t, "used")})
		}
		got, err := decode(want.encode())
		if err != nil {
			t.Fatal(err)
		}
		if want.counts == nil {
			want.counts = []count{}
		}
		if want.shares == nil {
			want.shares = []Share{}
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(bucket{}, count{}, fixed{})); d != "" {
			t.Fatal(d)
		}
	})
}

func TestBucketSize(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).UnixMicro()
	var k bucket
	for range 300 {
		now += 200_000
		k.take(threeHundred(), First, Rest, 1, 60e6, now)
	}
	if n := len(k.encode()); len(k.stamps) != 300 || n > 960 {
		t.Errorf("%d stamps in %d bytes", len(k.stamps), n)
	}
}

func FuzzDecode(f *testing.F) {
	k := bucket{stamps: []int64{1, 2}, counts: []count{{1, 2}}}
	f.Add(k.encode())
	k.shares, k.windows = []Share{Rest, Sales}, []fixed{{1, 2, 3}}
	f.Add(k.encode())
	f.Add([]byte{format, 0, 0, 0, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, v []byte) { decode(v) })
}

// TestNeverMoreThanTheVendorAllows: calls made within a second of their stamp are
// never more than 60 in any 60 s, however fast they are asked for, by whichever
// worker, while clocks differ by 2 s at most.
func TestNeverMoreThanTheVendorAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const s = int64(time.Second / time.Microsecond)
		budget := sixty()
		offsets := rapid.SliceOfN(rapid.SampledFrom([]int64{-s, s, 0, s / 3}), 1, 5).Draw(t, "offsets")
		var k bucket
		var calls []int64
		real, next := 1_000_000*s, int64(0)
		for range rapid.IntRange(2, 12).Draw(t, "bursts") {
			offset := rapid.SampledFrom(offsets).Draw(t, "worker")
			switch rapid.SampledFrom([]int{1, 1, 0}).Draw(t, "when") {
			case 0:
				real += rapid.Int64Range(0, 70*s).Draw(t, "pass")
			case 1:
				real = max(real, next-offset) // the instant it was told
			}
			use := rapid.SampledFrom([]string{"at once", "late", "any"}).Draw(t, "use")
			for range rapid.SampledFrom([]int{61, 61, 20, 1}).Draw(t, "calls") {
				at, until := k.take(budget, First, Rest, 1, 60*s, real+offset)
				if until > 0 {
					next = until
					break
				}
				latest := max(0, at+s-(real+offset))
				switch use {
				case "at once":
					latest = 0
				case "any":
					latest = rapid.Int64Range(0, latest).Draw(t, "after")
				}
				calls = append(calls, real+latest)
			}
		}
		slices.Sort(calls)
		for i := 60; i < len(calls); i++ {
			if d := calls[i] - calls[i-60]; d < 60*s {
				t.Fatalf("61 calls in %v", time.Duration(d)*time.Microsecond)
			}
		}
	})
}
