// Package accuracy measures how often the agent is right. It plays a random, labelled mix
// of all faults to thousands of flows, in clusters of network namespaces with the real
// agent. It compares what the agent reports with the labels and with the applications'
// own books. The labels are on disk before the run reads the agent's reports.
package accuracy

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// Plan is what a seed decides: the same seed, the same plan.
type Plan struct {
	Seed   uint64
	Rounds []Round
}

// Round is one cluster's life.
type Round struct {
	Number int
	Family cluster.Family // of the packets
	Turn   Turn
	Acts   []Act
	Watch  time.Duration // how long the last fault is watched
}

// Act is one thing that happens to a group of connections.
type Act struct {
	Number  int    // in its round, from 1
	Name    string // the kind and that number
	Kind    string
	Flows   int
	Clients int // pods that share the flows
	At      time.Duration
	Seed    uint64 // for what the act itself draws
}

// Turn is what happens to the agent in the middle of a round.
type Turn string

// The turns.
const (
	Steady  Turn = ""
	Restart Turn = "restart" // it is ended, and started again
	Kill    Turn = "kill"    // it is killed, and started again
	Outage  Turn = "outage"  // the cluster's records cannot be read for a while
)

// When things happen in a round.
const (
	turnAt  = 16 * time.Second // the agent ends; acts of the first half are over by then
	muteAt  = 8 * time.Second  // the outage begins
	mutedBy = 13 * time.Second // its records are out of date by now
	unmute  = 24 * time.Second // it ends
)

// afterglow is how long the last fault is watched: a file scan, --stuck-after, the
// kernel's hastened end, and a busy machine.
const afterglow = 24 * time.Second

// Sizes.
const (
	actsPerRound = 11
	leastFlows   = 6
	mostFlows    = 22
	mostRounds   = 10_000 // the most that can be asked for; no plan has as many
)

// NewPlan draws rounds until they have so many flows. Every kind comes before any comes
// again, so that all have about as many. A round depends only on the seed and its number:
// a longer plan begins like a shorter one.
func NewPlan(seed uint64, flows int, kinds []Kind) Plan {
	p := Plan{Seed: seed}
	for p.Flows() < flows {
		p.Rounds = append(p.Rounds, newRound(seed, len(p.Rounds)+1, kinds))
	}
	return p
}

// flowNumber is the name of a flow in its act: its client and its number.
var flowNumber = regexp.MustCompile(`^[1-9][0-9]*\.[1-9][0-9]*$`)

// Alone returns the plan of a single round: that of a flow ("3/calico-7/1.5"), an act
// ("3/calico-7") or a round ("3"), of a plan of any length. Only after the round it is
// known whether there is such a flow.
func Alone(seed uint64, what string, kinds []Kind) (Plan, error) {
	parts := strings.SplitN(what, "/", 3)
	number, err := strconv.Atoi(parts[0])
	if err != nil || number < 1 || number > mostRounds || strconv.Itoa(number) != parts[0] {
		return Plan{}, fmt.Errorf("%q is no round: they count from 1 to %d", parts[0], mostRounds)
	}
	r := newRound(seed, number, kinds)
	if len(parts) > 1 && !slices.ContainsFunc(r.Acts, func(a Act) bool { return a.Name == parts[1] }) {
		return Plan{}, fmt.Errorf("round %d of seed %d has no act %q; it has %s", number, seed, parts[1], r.names())
	}
	if len(parts) > 2 && !flowNumber.MatchString(parts[2]) {
		return Plan{}, fmt.Errorf("%q is no flow of an act: they are called like 1.5", parts[2])
	}
	return Plan{Seed: seed, Rounds: []Round{r}}, nil
}

// newRound draws the round with a number, which counts from 1.
func newRound(seed uint64, number int, kinds []Kind) Round {
	rng := rand.New(rand.NewPCG(seed, uint64(number)))
	r := Round{Number: number, Family: []cluster.Family{cluster.IPv4, cluster.IPv6}[number%2], Watch: afterglow}
	if rng.IntN(2) == 0 {
		r.Turn = []Turn{Restart, Kill, Outage, Outage}[rng.IntN(4)]
	}
	for i := range actsPerRound {
		k := nthKind(seed, (number-1)*actsPerRound+i, kinds)
		again := slices.ContainsFunc(r.Acts, func(a Act) bool { return a.Kind == k.Name })
		if k.Alone && again || k.Family != "" && k.Family != r.Family {
			continue
		}
		a := Act{
			Number: i + 1, Name: fmt.Sprintf("%s-%d", k.Name, i+1), Kind: k.Name, At: r.when(rng, k),
			Flows: leastFlows + rng.IntN(mostFlows-leastFlows+1), Clients: 1 + rng.IntN(2), Seed: rng.Uint64(),
		}
		if k.Most > 0 {
			a.Flows = min(a.Flows, k.Most)
		}
		r.Acts = append(r.Acts, a)
	}
	return r
}

// names lists the acts of a round.
func (r Round) names() string {
	var all []string
	for _, a := range r.Acts {
		all = append(all, a.Name)
	}
	return strings.Join(all, ", ")
}

// nthKind deals the kinds in hands, each in a new order.
func nthKind(seed uint64, n int, kinds []Kind) Kind {
	hand := slices.Clone(kinds)
	rng := rand.New(rand.NewPCG(seed, uint64(1_000_000+n/len(kinds))))
	rng.Shuffle(len(hand), func(i, j int) { hand[i], hand[j] = hand[j], hand[i] })
	return hand[n%len(hand)]
}

// when draws a time for an act: before the turn with time to be reported, or
// after it; in an outage, once the agent no longer trusts its records.
func (r Round) when(rng *rand.Rand, k Kind) time.Duration {
	some := func(from, to time.Duration) time.Duration {
		return from + time.Duration(rng.Int64N(int64(to-from))).Truncate(10*time.Millisecond)
	}
	first := rng.IntN(2) == 0 && !(k.Later && r.Turn == Outage)
	switch {
	case r.Turn == Steady:
		return some(time.Second, 7*time.Second)
	case first:
		return some(time.Second, 4*time.Second)
	case r.Turn == Outage:
		return some(mutedBy, mutedBy+3*time.Second)
	}
	return some(turnAt+3*time.Second, turnAt+7*time.Second)
}

// Flows returns how many flows the plan has.
func (p Plan) Flows() (n int) {
	for _, r := range p.Rounds {
		for _, a := range r.Acts {
			n += a.Flows
		}
	}
	return n
}
