package tenant

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
)

// Operators are the SHA-256 hashes of the tokens that open the API for all tenants. There may be several, as while one
// is replaced by another.
type Operators [][sha256.Size]byte

// OperatorsOf hashes tokens; one that is empty opens nothing.
func OperatorsOf(tokens ...Secret) (list Operators) {
	for _, t := range tokens {
		if t != "" {
			list = append(list, sha256.Sum256([]byte(t)))
		}
	}
	return list
}

// ParseOperators reads hashes as 64 hexadecimal digits each, with commas between.
func ParseOperators(text string) (list Operators, err error) {
	for one := range strings.SplitSeq(text, ",") {
		sum, err := hex.DecodeString(strings.TrimSpace(one))
		if err != nil || len(sum) != sha256.Size {
			return nil, errors.New("is not one SHA-256 hash, of 64 hexadecimal digits, or several with commas between")
		}
		list = append(list, [sha256.Size]byte(sum))
	}
	return list, nil
}

// Know reports whether a token is one of theirs. It takes as long whichever it is.
func (o Operators) Know(token string) bool {
	sum, known := sha256.Sum256([]byte(token)), 0
	for _, own := range o {
		known |= subtle.ConstantTimeCompare(sum[:], own[:])
	}
	return known == 1
}
