package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/cli"
	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// config is what the flags say, checked.
type config struct {
	ports
	records
	stuckAfter       time.Duration
	eventsFile       string
	kubernetesEvents bool
	maxSeries        int
	maxFlows         int
	scanCPU          float64
	nodeName         string
	scope            []uint32
	ringBytes        uint32 // 0: the tracer's own default
	log              *slog.Logger
	// settle drops the capabilities that works does without, and returns those
	// that the agent keeps.
	settle func(works func() error) (kept []string, err error)
}

// ports say where the agent is asked.
type ports struct {
	metricsAddresses []string
	webConfig        string // empty: neither TLS nor authentication
	socket           string
	pageAddress      string
}

// records say where cluster records come from.
type records struct {
	cluster      string // auto, none, kubernetes or file
	clusterFile  string
	kubeconfig   string // empty: the usual places
	maxStaleness time.Duration
	names        []cluster.Name
	clients      []netip.Prefix
}

// parse reads flags and environment. Its error is one line for a person.
func parse(args []string, version string) (config, error) {
	var (
		c       config
		names   []string
		clients []string
		scope   []string
		level   string
	)
	app := cli.New("tcpstuck-agent", version, "Finds the TCP connections of this node that make no progress, and says why.")
	app.Flag("web.listen-address", "Address of /metrics and the probes, as :9797 or [::1]:9797; repeatable.").Default(":9797").StringsVar(&c.metricsAddresses)
	app.Flag("web.config.file", "File that sets up TLS and authentication for it, as Prometheus' exporters have it: https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md").PlaceHolder("FILE").StringVar(&c.webConfig)
	app.Flag("socket", "Unix socket for the tcpstuck command. Its folder must exist; the default's is made.").Default(usualSocket).StringVar(&c.socket)
	app.Flag("page-address", "Loopback address of the page; empty: none. Where it is taken the agent works without, and tries again.").Default("127.0.0.1:9798").StringVar(&c.pageAddress)
	app.Flag("stuck-after", "How long without progress makes a flow stuck. Where its backend is known to be gone, it is reported at once.").Default("10s").DurationVar(&c.stuckAfter)
	app.Flag("cluster", "Where cluster records come from: kubernetes (as the pod's ServiceAccount, or by a kubeconfig), file, none; auto: the file if there is one, else kubernetes if it is found.").Default("auto").EnumVar(&c.cluster, "auto", "none", "kubernetes", "file")
	app.Flag("cluster-state", "File as `kubectl get services,endpointslices,pods,nodes -A -o yaml` prints it; watched.").PlaceHolder("FILE").StringVar(&c.clusterFile)
	app.Flag("cluster-max-staleness", "How long a source of cluster records may be down before nothing is concluded from it.").Default("30s").DurationVar(&c.maxStaleness)
	app.Flag("name", "Name for peers outside the cluster, as 203.0.113.0/24=orders-db; repeatable.").PlaceHolder("CIDR=LABEL").StringsVar(&names)
	app.Flag("clients", "Addresses of clients that come and go, such as laptops behind an internal ingress: accepted connections from there that fall silent are counted, and not reported; repeatable.").PlaceHolder("CIDR").StringsVar(&clients)
	app.Flag("events-file", "File to append events to, one JSON object a line.").PlaceHolder("FILE").StringVar(&c.eventsFile)
	app.Flag("kubernetes-events", "Report findings to their pods as Kubernetes Events, where cluster records come from an API. On by default; --no-kubernetes-events turns it off.").Default("true").BoolVar(&c.kubernetesEvents)
	app.Flag("max-flows", "How many flows without progress are watched. No owner can take the room of others.").Default("100000").IntVar(&c.maxFlows)
	app.Flag("max-series", "How many edges (what talks to what) keep their labels in each metric family; the others are summed up.").Default("500").IntVar(&c.maxSeries)
	app.Flag("sweep-cpu", "Share of a core that file scans, which pass over all sockets, may take.").Default("0.01").Float64Var(&c.scanCPU)
	app.Flag("node-name", "Name of this node; the host's name by default.").StringVar(&c.nodeName)
	app.Flag("log-level", "debug, info, warn or error.").Default("info").EnumVar(&level, "debug", "info", "warn", "error")
	app.Flag("kubeconfig", "Kubeconfig to use instead of the usual ones.").Hidden().StringVar(&c.kubeconfig)
	app.Flag("scope-netns", "Watch only this network namespace, a path or an inode number; repeatable.").Hidden().StringsVar(&scope)
	app.Flag("ring-bytes", "Size of the ring buffer: a power of two of at least a page; 0: the default.").Hidden().Uint32Var(&c.ringBytes)
	cli.Environment(app)
	if _, err := app.Parse(args); err != nil {
		return config{}, fmt.Errorf("%w (see --help)", err)
	}
	c.settle = func(func() error) ([]string, error) { return []string{"all"}, nil }
	return c, c.check(names, clients, scope, level)
}

func (c *config) check(names, clients, scope []string, level string) error {
	var err error
	switch {
	case c.stuckAfter < time.Second:
		return fmt.Errorf("--stuck-after=%v: the shortest is 1s", c.stuckAfter)
	case !(c.scanCPU > 0 && c.scanCPU <= 1): // also NaN
		return fmt.Errorf("--sweep-cpu=%v: want a share of a core, above 0 and at most 1", c.scanCPU)
	case c.maxFlows < 1:
		return fmt.Errorf("--max-flows=%d: want at least 1", c.maxFlows)
	case c.maxSeries < 1:
		return fmt.Errorf("--max-series=%d: want at least 1", c.maxSeries)
	}
	if err = c.ports.check(); err != nil {
		return err
	}
	if err = c.records.check(names, clients); err != nil {
		return err
	}
	if c.scope, err = parseScope(scope); err != nil {
		return err
	}
	if c.nodeName == "" {
		if c.nodeName, err = os.Hostname(); err != nil {
			return fmt.Errorf("--node-name is not given, and the host has no name: %w", err)
		}
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("--log-level=%s: %w", level, err)
	}
	c.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
	return nil
}

// check refuses an address without a port: the kernel would choose one and,
// without a host, serve on every interface.
func (p ports) check() error {
	for _, address := range p.metricsAddresses {
		_, port, err := net.SplitHostPort(address)
		if err != nil || port == "" {
			return fmt.Errorf("--web.listen-address=%s: want HOST:PORT or :PORT", address)
		}
	}
	return nil
}

func (r *records) check(names, clients []string) (err error) {
	switch {
	case r.cluster == "kubernetes" && r.clusterFile != "":
		return fmt.Errorf("--cluster=kubernetes and --cluster-state %s contradict each other", r.clusterFile)
	case r.cluster == "file" && r.clusterFile == "":
		return fmt.Errorf("--cluster=file needs --cluster-state FILE")
	case r.cluster == "none" && r.clusterFile != "":
		return fmt.Errorf("--cluster=none and --cluster-state %s contradict each other", r.clusterFile)
	case r.maxStaleness <= 0:
		return fmt.Errorf("--cluster-max-staleness=%v: want a time above 0", r.maxStaleness)
	}
	if r.names, err = parseNames(names); err != nil {
		return err
	}
	r.clients, err = parseClients(clients)
	return err
}

func parseClients(args []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, arg := range args {
		prefix, err := parsePrefix(arg)
		if err != nil {
			return nil, fmt.Errorf("--clients=%s: %w", arg, err)
		}
		all = append(all, prefix)
	}
	return all, nil
}

// parsePrefix reads a prefix, or an address.
func parsePrefix(text string) (netip.Prefix, error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.Masked(), nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a prefix", text)
	}
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

func parseNames(args []string) ([]cluster.Name, error) {
	var names []cluster.Name
	for _, arg := range args {
		cidr, label, ok := strings.Cut(arg, "=")
		if !ok || label == "" {
			return nil, fmt.Errorf("--name=%s: want CIDR=LABEL, as 203.0.113.0/24=orders-db", arg)
		}
		prefix, err := parsePrefix(cidr)
		if err != nil {
			return nil, fmt.Errorf("--name=%s: %w", arg, err)
		}
		if strings.ContainsFunc(label, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return nil, fmt.Errorf("--name=%q: a label is printable text", arg)
		}
		names = append(names, cluster.Name{Prefix: prefix, Label: label})
	}
	return names, nil
}

// parseScope turns namespace files, or inode numbers, into inode numbers.
func parseScope(args []string) ([]uint32, error) {
	var scope []uint32
	for _, arg := range args {
		if inum, err := strconv.ParseUint(arg, 10, 32); err == nil {
			scope = append(scope, uint32(inum))
			continue
		}
		var st unix.Stat_t
		var fs unix.Statfs_t
		if err := unix.Stat(arg, &st); err != nil {
			return nil, fmt.Errorf("--scope-netns=%s: %w", arg, err)
		}
		if err := unix.Statfs(arg, &fs); err != nil {
			return nil, fmt.Errorf("--scope-netns=%s: %w", arg, err)
		}
		if fs.Type != unix.NSFS_MAGIC {
			return nil, fmt.Errorf("--scope-netns=%s: it is no network namespace", arg)
		}
		scope = append(scope, uint32(st.Ino))
	}
	return scope, nil
}
