package cluster

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Cut takes a machine off the network: what arrives and what leaves is
// dropped without a word. The link itself stays up, so that the other
// machines keep its neighbour entry and what they send really leaves them; a
// link that is down would keep packets in their queues, and the kernel would
// call that no retransmission.
func (c *Cluster) Cut(m Machine) error {
	c.report("%s is cut off", m.Name)
	return weather(m, nil)
}

// Lose drops the given percentage of what arrives at a machine.
func (c *Cluster) Lose(m Machine, percent uint32) error {
	c.report("%d %% of what is sent to %s is lost", percent, m.Name)
	return weather(m, chance(percent))
}

// Restore ends Cut and Lose.
func (c *Cluster) Restore(m Machine) error {
	c.report("%s is back", m.Name)
	return m.NS.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		conn.DelTable(replaceTable(conn, weatherTable, nftables.TableFamilyINet))
		return conn.Flush()
	})
}

const weatherTable = "weather"

// weather drops packets before anything else sees them: of those that arrive
// the share that match chooses, or all packets in both directions when match
// is nil.
func weather(m Machine, match []expr.Any) error {
	err := m.NS.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		t := replaceTable(conn, weatherTable, nftables.TableFamilyINet)
		in := addChain(conn, t, "in", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityRaw)
		addRule(conn, in, from(uplink), match, drop())
		if match == nil {
			out := addChain(conn, t, "out", nftables.ChainTypeFilter, nftables.ChainHookPostrouting, nftables.ChainPriorityConntrackHelper)
			addRule(conn, out, to(uplink), drop())
		}
		return conn.Flush()
	})
	if err != nil {
		return fmt.Errorf("drop packets at %s: %w", m.Name, err)
	}
	return nil
}
