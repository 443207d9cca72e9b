package tracer

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

func TestMain(m *testing.M) {
	privtest.Overlap(4)
	goleak.VerifyTestMain(m)
}
