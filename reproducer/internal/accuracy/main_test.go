package accuracy

import (
	"os"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

func TestMain(m *testing.M) {
	privtest.Overlap(3)
	os.Exit(m.Run())
}
