package simulate

// mutants are the rules of the protocol, each switched off, and the faults that
// were mended, each put back.
func mutants() []mutant {
	off := func(name, rule string) mutant {
		return mutant{name, []edit{{"upstockcin7/pair.go", "return &Pair{Deps: d, restored", "return &Pair{Deps: d, rules: rules{" + rule + ": true}, restored"}}}
	}
	return []mutant{
		off("a create is sent without being on record", "noIntent"),
		off("workers do not keep out of each other's way", "noLease"),
		off("a doubtful create is made again without a look", "noLook"),
		off("one look decides, however early", "noSettle"),
		off("every attempt plans anew", "thawed"),
		off("any answered create becomes the run's sale", "rechosen"),
		off("a window of several pages is read once", "noReread"),
		off("the cursor moves before the marks", "hasty"),
		off("a shipment in doubt is not told again", "noDoubt"),
	}
}
