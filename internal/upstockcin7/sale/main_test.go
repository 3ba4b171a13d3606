package sale_test

import (
	"os"
	"testing"

	"stockbridge/internal/testsize"
)

func TestMain(m *testing.M) {
	testsize.SameDraws()
	os.Exit(m.Run())
}
