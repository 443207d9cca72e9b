package door

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

const (
	// headerBytes is how much a request may bring before its body. net/http
	// reads headerSlop more than MaxHeaderBytes.
	headerBytes = 16 << 10
	headerSlop  = 4 << 10
	// streams is how many requests one connection may make at once (HTTP/2).
	streams = 8
	// frameBytes is the smallest limit of a frame that HTTP/2 allows.
	frameBytes = 16 << 10
	// windowBytes is the smallest window that HTTP/2 allows.
	windowBytes = 64 << 10

	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second // unless the handler sets another for each write
	idleTimeout   = 10 * time.Second

	// complaints is how often a server logs an error of a caller. Callers could
	// fill a disk with that.
	complaints = time.Second
)

// newServer returns a server whose callers can neither send nor hold much. It serves
// connections of a Door, plain or through TLS.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	seldom := &seldom{log: log, sometimes: rate.Sometimes{Interval: complaints}}
	return &http.Server{
		Handler:           paced(h),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes - headerSlop,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streams, MaxReadFrameSize: frameBytes,
			MaxReceiveBufferPerConnection: windowBytes, MaxReceiveBufferPerStream: windowBytes,
		},
		ConnState: follow,
		ErrorLog:  slog.NewLogLogger(seldom, slog.LevelWarn),
	}
}

// paced limits the requests a second, so that callers that repeat theirs on a
// connection leave CPU to the agent's own work.
func paced(h http.Handler) http.Handler {
	pace := rate.NewLimiter(perSecond, MostPlaces)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close") // or the answer waits for a body that is never read
		}
		if pace.Wait(r.Context()) == nil { // else the caller has left
			h.ServeHTTP(w, r)
		}
	})
}

// seldom is a log handler that passes one line in a while.
type seldom struct {
	log       *slog.Logger
	sometimes rate.Sometimes
}

func (s *seldom) Enabled(ctx context.Context, l slog.Level) bool {
	return s.log.Handler().Enabled(ctx, l)
}

func (s *seldom) Handle(ctx context.Context, r slog.Record) (err error) {
	s.sometimes.Do(func() { err = s.log.Handler().Handle(ctx, r) })
	return err
}

func (s *seldom) WithAttrs([]slog.Attr) slog.Handler { return s }

func (s *seldom) WithGroup(string) slog.Handler { return s }
