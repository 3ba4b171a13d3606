package upstockcin7

// Without switches one rule of the protocol off, for the proof that the proof
// can fail.
func (p *Pair) Without(rule string) {
	switch rule {
	case "intent":
		p.rules.noIntent = true
	case "lease":
		p.rules.noLease = true
	case "look":
		p.rules.noLook = true
	case "settle time":
		p.rules.noSettle = true
	case "frozen plan":
		p.rules.thawed = true
	case "sale chosen once":
		p.rules.rechosen = true
	}
}
