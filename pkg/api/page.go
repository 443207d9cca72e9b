package api

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

//go:embed page.html
var pageHTML string

// storyWidth is the width of a flow's story on the page, in characters.
const storyWidth = 100

// rowsOnPage keeps the page small in a storm; dump lists every flow.
const rowsOnPage = 500

// page is what page.html shows: all flows, or the story of one.
type page struct {
	Node    string
	Version string
	At      string

	Groups  []report.Group
	Rows    []report.Row
	More    int
	Watched string
	Sources string
	Now     time.Time

	ID    string
	Story string
}

func (s *server) newPage() page {
	now := s.Now()
	return page{
		Node: cmp.Or(s.Node, "this node"), Version: s.Version,
		At: phrase.Moment(now), Now: now,
	}
}

func (s *server) index(w http.ResponseWriter, r *http.Request) {
	leave, err := s.turn.take(r.Context())
	if err != nil {
		s.fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	p := s.overview(r.Context())
	leave()
	s.render(w, http.StatusOK, p)
}

// overview composes the page of all flows.
func (s *server) overview(ctx context.Context) page {
	p, status := s.newPage(), s.newStatus()
	p.Groups = report.Summarize(slices.Collect(s.selectFlows(ctx, Query{State: Live, Rows: true})))
	for _, g := range p.Groups {
		for _, f := range g.Findings {
			if len(p.Rows) == rowsOnPage {
				p.More++
				continue
			}
			p.Rows = append(p.Rows, report.NewRow(*f, p.Now))
		}
	}
	p.Watched = report.Watched(status.Suspects, status.Counted, "tcpstuck")
	p.Sources = report.Sources(status.Sources, p.Now)
	return p
}

func (s *server) story(w http.ResponseWriter, r *http.Request) {
	p := s.newPage()
	p.ID = r.PathValue("id")
	f, err := s.find(r.Context(), p.ID)
	if err != nil {
		p.Story = err.Error()
		s.render(w, codeOf(err), p)
		return
	}
	p.Story = story(f, p.Now)
	s.render(w, http.StatusOK, p)
}

func story(f flow.Finding, now time.Time) string {
	var b bytes.Buffer
	_ = report.Explain(&b, f, now, storyWidth) // a Buffer takes everything
	return b.String()
}

func (s *server) render(w http.ResponseWriter, code int, p page) {
	var b bytes.Buffer
	if err := s.template.Execute(&b, p); err != nil {
		s.fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = patience(w).Write(b.Bytes())
}

func parsePage() *template.Template {
	return template.Must(template.New("page").Parse(pageHTML))
}
