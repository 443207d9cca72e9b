package kube_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// proxy stands between the source and the API, and misbehaves on demand. It
// has two floors: one that sees requests, and below it one that sees bytes.
type proxy struct {
	url string
	ca  []byte

	mu       sync.Mutex
	delay    time.Duration // before a request is passed on
	refuse   *metav1.Status
	refusing func(*http.Request) bool
	down     bool          // connections are refused
	frozen   chan struct{} // nil: bytes pass; else they wait until it is closed
	conns    map[net.Conn]struct{}
}

func newProxy(t *testing.T, e *environment) *proxy {
	t.Helper()
	p := &proxy{conns: make(map[net.Conn]struct{})}
	target := must[*url.URL](t)(url.Parse(e.config.Host))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.config.CAData)
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval: -1,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.admit(w, r) {
			return
		}
		forward.ServeHTTP(w, r)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	p.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	bytes := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	p.url = "https://" + bytes.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(bytes, server.Listener.Addr().String(), &serving) })
	t.Cleanup(func() {
		bytes.Close()
		p.heal()
		p.cut()
		serving.Wait()
		server.CloseClientConnections()
		server.Close()
	})
	return p
}

// admit handles what a request meets before it is passed on.
func (p *proxy) admit(w http.ResponseWriter, r *http.Request) bool {
	p.mu.Lock()
	delay, status, refusing := p.delay, p.refuse, p.refusing
	p.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return false
	}
	if status == nil || refusing != nil && !refusing(r) {
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	if status.Code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status)
	return false
}

// serve passes connections on, byte by byte.
func (p *proxy) serve(l net.Listener, target string, serving *sync.WaitGroup) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		down := p.down
		p.mu.Unlock()
		out, err := net.Dial("tcp", target)
		if down || err != nil {
			in.Close()
			if err == nil {
				out.Close()
			}
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = struct{}{}, struct{}{}
		p.mu.Unlock()
		serving.Go(func() { p.pump(out, in) })
		serving.Go(func() { p.pump(in, out) })
	}
}

func (p *proxy) pump(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	for buffer := make([]byte, 1<<15); ; {
		n, err := from.Read(buffer)
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		if err != nil {
			break
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, to)
	delete(p.conns, from)
}

// cut closes every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// away cuts every connection and takes none any more.
func (p *proxy) away() {
	p.set(func() { p.down = true })
	p.cut()
}

// freeze holds every byte back; the connections stay.
func (p *proxy) freeze() { p.set(func() { p.frozen = make(chan struct{}) }) }

// slow delays every request.
func (p *proxy) slow(d time.Duration) { p.set(func() { p.delay = d }) }

// answer answers matching requests itself.
func (p *proxy) answer(code int32, reason metav1.StatusReason, matching func(*http.Request) bool) {
	p.set(func() {
		p.refuse = &metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
			Code: code, Reason: reason, Message: "the test says so",
		}
		p.refusing = matching
	})
}

// heal ends every fault.
func (p *proxy) heal() {
	p.set(func() {
		if p.frozen != nil {
			close(p.frozen)
		}
		p.frozen, p.delay, p.refuse, p.down = nil, 0, nil, false
	})
}

func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// resumes matches watches that go on from where another ended.
func resumes(r *http.Request) bool {
	q := r.URL.Query()
	return q.Get("watch") != "" && q.Get("sendInitialEvents") == ""
}
