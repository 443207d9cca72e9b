package house

// street is the order of the rooms. A package imports rooms of the blocks
// above its own, never of its own block or of one below: data flows down.
// A room is a folder with all that is in it.
var street = [][]string{
	{"pkg/jsonscan"},
	{"pkg/flow", "pkg/phrase"},
	{"pkg/deadline", "pkg/cluster"},
	{"pkg/tracer", "pkg/drops", "pkg/diagnosis", "pkg/conntrack", "pkg/route", "pkg/owner", "pkg/kube", "pkg/audit", "pkg/privilege", "pkg/budget"},
	{"pkg/ledger", "pkg/evidence"},
	{"pkg/departed"},
	{"pkg/inspector"},
	{"pkg/report", "pkg/door"},
	{"pkg/exporter", "pkg/events", "pkg/api"},
	{"internal/cli"},
	{"cmd/agent", "cmd/tcpstuck"},
	{"reproducer", "tools"},
	{"internal"}, // what is left there helps tests
}

// pure names the rooms that compute and do nothing else: no file, no socket,
// no process. They import no other rooms.
var pure = []string{"pkg/jsonscan", "pkg/flow", "pkg/phrase", "pkg/ledger", "pkg/deadline", "pkg/diagnosis", "pkg/cluster", "pkg/audit", "pkg/report"}

// impure are the packages of the standard library that a pure room has no use
// for.
var impure = []string{"net", "net/http", "os", "os/exec", "syscall"}

// errnos are the pure rooms that need syscall for the numbers of errors.
var errnos = []string{"pkg/diagnosis", "pkg/deadline"}

// importers are the rooms that may import a dependency, by the prefix of its
// import path. A dependency that is not here is only for tests.
var importers = map[string][]string{
	"github.com/alecthomas/kingpin/":         {"cmd", "internal/cli", "reproducer"},
	"github.com/cilium/ebpf":                 {"pkg/tracer", "pkg/drops", "tools/storm"}, // the bench has kernel programs of its own to compare with
	"github.com/fsnotify/fsnotify":           {"pkg/kube"},
	"github.com/google/go-cmp":               {"internal"},
	"github.com/google/nftables":             {"reproducer", "internal", "tools/storm"},
	"github.com/mdlayher/netlink":            {"pkg/conntrack"},
	"github.com/prometheus/client_golang":    {"pkg/exporter"},
	"github.com/prometheus/exporter-toolkit": {"pkg/exporter"},
	"github.com/prometheus/procfs":           {"tools/storm"},                  // the kernel's own count of timeouts
	"github.com/ti-mo/conntrack":             {"pkg/conntrack", "tools/storm"}, // the bench fills a table
	"github.com/ti-mo/netfilter":             {"pkg/conntrack"},
	"github.com/vishvananda/netlink":         {"pkg/route", "reproducer", "internal", "tools/storm"},
	"github.com/vishvananda/netns":           {"reproducer", "internal"},
	"golang.org/x/sync":                      {"pkg", "cmd", "reproducer"},
	"golang.org/x/sys":                       {"pkg/tracer", "pkg/drops", "pkg/conntrack", "pkg/route", "pkg/diagnosis", "pkg/privilege", "pkg/budget", "cmd", "reproducer", "internal", "tools/storm"}, // diagnosis: names of errnos; budget: a thread's clock
	"golang.org/x/time":                      {"pkg"},
	"k8s.io/api":                             {"pkg/kube", "reproducer"}, // and k8s.io/apimachinery
	"k8s.io/client-go":                       {"pkg/kube"},
	"github.com/go-logr/logr":                {"pkg/kube"}, // it and klog: to take client-go's own log off
	"k8s.io/klog":                            {"pkg/kube"},
	"kernel.org/pub/linux/libs":              {"pkg/privilege", "internal"}, // libcap
	"sigs.k8s.io/yaml":                       {"pkg/kube", "reproducer"},
}
