package api

import (
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/door"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Options is what the API needs. Reader and Log are required.
type Options struct {
	Reader  flow.Reader
	Version string
	BootID  string
	Node    string
	Started time.Time        // when the agent started; zero: not known
	Now     func() time.Time // nil: time.Now
	// Audit makes an audit of every connection; nil: the agent makes none. It
	// is called from any goroutine.
	Audit func() (audit.Report, error)
	// Ready returns nil once the agent can be trusted. Until then it says why not,
	// and the API answers nothing about flows. A nil function: at once.
	Ready func() error
	// Profiles offers Go's profiles, too. The caller decides how much CPU a
	// profile takes and how much memory a trace takes: they are for the agent's owner.
	Profiles bool
	Log      *slog.Logger
}

type server struct {
	Options
	template *template.Template
	turn     turn // for answers that are composed as a whole
	search   turn // for searches through all ids
}

// Handler returns the API, the page and, if wanted, the profiles. They show
// addresses and processes: the listener decides which callers may see them.
func Handler(opts Options) http.Handler {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Ready == nil {
		opts.Ready = func() error { return nil }
	}
	s := &server{Options: opts, template: parsePage(), turn: make(turn, 1), search: make(turn, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/flows", s.trusted(s.flows))
	mux.HandleFunc("/v1/flows/{id}", s.trusted(s.bare(s.flow)))
	mux.HandleFunc("/v1/status", s.trusted(s.bare(s.status)))
	mux.HandleFunc("/v1/stale", s.trusted(s.bare(s.stale)))
	mux.HandleFunc("/v1/audit", s.bare(s.audit)) // it looks for itself
	mux.HandleFunc("/healthz", door.Alive)
	mux.HandleFunc("/readyz", door.Ready(opts.Ready)) // for a kubelet that has no password for the metrics' port
	mux.HandleFunc("/{$}", s.trusted(s.index))
	mux.HandleFunc("/flows/{id}", s.trusted(s.story))
	if opts.Profiles {
		addProfiles(mux)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, http.StatusNotFound, "there is nothing at "+r.URL.Path)
	})
	return s.readOnly(mux)
}

func addProfiles(mux *http.ServeMux) {
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
}

// readOnly refuses every request that could be meant to change something.
func (s *server) readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			s.fail(w, http.StatusMethodNotAllowed, "this API only reads")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bare refuses a query at paths that take none.
func (s *server) bare(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := parameters(r); err != nil {
			s.fail(w, http.StatusBadRequest, err.Error())
			return
		}
		next(w, r)
	}
}

type failure struct {
	Error string `json:"error"`
}

func (s *server) fail(w http.ResponseWriter, code int, message string) {
	s.reply(w, code, failure{Error: message})
}

// reply writes one line of JSON. An error here means that the client left.
func (s *server) reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(patience(w)).Encode(v); err != nil {
		s.Log.Debug("Cannot send the answer", "err", err)
	}
}
