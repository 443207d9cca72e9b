package cluster

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
)

// The port of the echo program's proxy, and the mark on its own connections.
const (
	proxyPort = 15001
	proxyMark = 1337
)

// Redirect makes the proxy in the pod take over the pod's own connections to a Service.
func (w *network) Redirect(p *Pod, service netip.Addr) error {
	w.report("in pod %s connections to %s are redirected to the proxy", p.Name, service)
	family := nftables.TableFamilyIPv6
	if service.Is4() {
		family = nftables.TableFamilyIPv4
	}
	err := p.NS.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		t := replaceTable(conn, "sidecar", family)
		chain := addChain(conn, t, "redirect", nftables.ChainTypeNAT, nftables.ChainHookOutput, nftables.ChainPriorityNATDest)
		addRule(conn, chain, tcpTo(service), unmarked(proxyMark), redirect(proxyPort))
		return conn.Flush()
	})
	if err != nil {
		return fmt.Errorf("redirect in pod %s: %w", p.Name, err)
	}
	return nil
}

// StartBeside runs the echo program once more in a pod.
func (c *Cluster) StartBeside(p *Pod, name string, args []string) (*Echo, error) {
	return c.startEcho(p.Name+"-"+name, p.NS, c.family, args)
}

// unmarked matches packets without a mark.
func unmarked(mark uint32) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: regCompare},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: regCompare, Data: binaryutil.NativeEndian.PutUint32(mark)},
	}
}

// redirect sends a connection to a port of this host.
func redirect(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: regPort, Data: binary.BigEndian.AppendUint16(nil, port)},
		&expr.Redir{RegisterProtoMin: regPort},
	}
}
