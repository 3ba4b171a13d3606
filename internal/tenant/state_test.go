package tenant

import "testing"

// TestLacks holds the words for each state of a connection.
func TestLacks(t *testing.T) {
	const unsealed = "The stored key of Cin7 Core cannot be opened any more: " +
		"the key that it was sealed with is lost or disabled. Save the keys of Cin7 Core again."
	for _, tt := range []struct {
		name             string
		connections      []Connection
		ready, text, fix string
	}{
		{"both", []Connection{{State: Connected}}, "", "", ""},
		{"away", nil, "Cin7 Core is not connected. Connect it first.", "Cin7 Core is not connected.",
			"Connect Cin7 Core."},
		{"refused", []Connection{{State: NeedsReconnecting, Why: Cin7Core.KeyRefused()}},
			"Cin7 Core needs reconnecting. Save a new key.",
			"Cin7 Core needs reconnecting: Cin7 Core refused the key.", "Save a new key of Cin7 Core."},
		{"unsealed", []Connection{{State: NeedsReconnecting, Why: Cin7Core.KeyUnsealed() + " And more."}},
			"Cin7 Core needs reconnecting. Save its keys again.",
			"Cin7 Core needs reconnecting: " + unsealed + " And more.", "Save the keys of Cin7 Core again."},
	} {
		b := Bundle{Connections: map[System]Connection{Upstock: {System: Upstock, State: Connected}}}
		for _, c := range tt.connections {
			c.System = Cin7Core
			b.Connections[Cin7Core] = c
		}
		if why := b.Ready(Upstock, Cin7Core); why != tt.ready {
			t.Errorf("%s: %s", tt.name, why)
		}
		lack := b.Lack(Upstock, Cin7Core)
		if lack == nil {
			if tt.text != "" {
				t.Errorf("%s: nothing is lacking", tt.name)
			}
			continue
		}
		if lack.System != Cin7Core || lack.String() != tt.text || lack.Fix != tt.fix {
			t.Errorf("%s: %+v", tt.name, lack)
		}
		if !Cin7Core.SaysLack(lack.String()+" It goes on by itself.") || Upstock.SaysLack(lack.String()) {
			t.Errorf("%s: whose lack is it? %s", tt.name, lack)
		}
	}
}
