package flow

import "strconv"

// MarshalJSON writes the finding in the form of the contract.
func (f Finding) MarshalJSON() ([]byte, error) {
	return f.AppendJSON(make([]byte, 0, usualBytes)), nil
}

// usualBytes is how long the JSON of most findings is at most.
const usualBytes = 4 << 10

// AppendJSON appends what MarshalJSON returns.
func (f *Finding) AppendJSON(b []byte) []byte {
	b = append(b, `{"apiVersion":"`+APIVersion+`","id":"`...)
	b = strconv.AppendUint(b, uint64(f.ID), 16)
	b = appendKnown(append(b, `","boot_id":`...), f.BootID)
	b = appendKnown(append(b, `,"node":`...), f.Node)
	b = appendNumber(append(b, `,"netns":`...), f.NetNS)
	b = appendKnown(append(b, `,"role":`...), f.Role)
	b = append(append(b, `,"tcp_state":"`...), f.State.String()...)
	b = strconv.AppendInt(append(b, `","family":`...), int64(f.Family), 10)
	b = appendLocal(append(b, `,"local":`...), &f.Local)
	b = appendPeer(append(b, `,"peer":`...), &f.Peer)
	b = appendBackend(append(b, `,"backend":`...), f.Backend)
	b = appendWords(b, f)
	b = appendProgress(b, f)
	b = appendKnown(append(b, `,"outcome":`...), f.Outcome)
	b = appendKnown(append(b, `,"error":`...), f.Err)
	b = appendTime(append(b, `,"ended_at":`...), f.EndedAt)
	return append(b, '}')
}

// appendWords appends what the finding says.
func appendWords(b []byte, f *Finding) []byte {
	b = appendString(append(b, `,"symptom":`...), f.Symptom)
	b = appendString(append(b, `,"cause":`...), f.Cause)
	b = appendString(append(b, `,"sentence":`...), f.Sentence)
	b = appendList(append(b, `,"advice":`...), f.Advice, appendAdvice)
	b = appendList(append(b, `,"evidence":`...), f.Evidence, appendEvidence)
	b = appendList(append(b, `,"history":`...), f.History, appendStep)
	return appendKnown(append(b, `,"muted":`...), f.Suppressed)
}

// appendProgress appends since when there is none, and what that puts at risk.
func appendProgress(b []byte, f *Finding) []byte {
	b = strconv.AppendBool(append(b, `,"orphan":`...), f.Orphan)
	b = appendTime(append(b, `,"at":`...), f.At)
	b = appendTime(append(b, `,"since":`...), f.Since)
	b = append(b, `,"age_seconds":`...)
	if f.Since.IsZero() {
		b = appendNull(b)
	} else {
		b = appendSeconds(b, f.Age())
	}
	b = strconv.AppendInt(append(b, `,"timeouts":`...), int64(f.Timeouts), 10)
	b = append(b, `,"rto_seconds":`...)
	if f.RTO == 0 {
		b = appendNull(b)
	} else {
		b = appendSeconds(b, f.RTO)
	}
	b = appendNumber(append(b, `,"unacknowledged_bytes":`...), f.Unacknowledged)
	b = appendNumber(append(b, `,"unsent_bytes":`...), f.Unsent)
	b = appendThousandths(append(b, `,"send_buffer_used_ratio":`...), f.SendBufferUsed)
	b = strconv.AppendBool(append(b, `,"zero_window":`...), f.ZeroWindow)
	b = appendSeconds(append(b, `,"user_timeout_seconds":`...), f.UserTimeout)
	b = strconv.AppendBool(append(b, `,"keepalive":`...), f.Keepalive)
	return appendGivesUp(b, f.GivesUp)
}

func appendLocal(b []byte, l *Local) []byte {
	b = appendEndpoint(append(b, `{"address":`...), l.Addr)
	b = appendKnown(append(b, `,"namespace":`...), l.Namespace)
	b = appendKnown(append(b, `,"pod":`...), l.Pod)
	b = appendKnown(append(b, `,"pod_uid":`...), l.PodUID)
	b = appendKnown(append(b, `,"workload":`...), l.Workload)
	b = appendKnown(append(b, `,"workload_kind":`...), l.WorkloadKind)
	b = appendKnown(append(b, `,"container":`...), l.Container)
	b = append(b, `,"pid":`...)
	if l.PID == 0 {
		b = appendNull(b)
	} else {
		b = appendNumber(b, l.PID)
	}
	b = appendKnown(append(b, `,"comm":`...), l.Comm)
	b = strconv.AppendBool(append(b, `,"exited":`...), l.Exited)
	return append(b, '}')
}

func appendPeer(b []byte, p *Peer) []byte {
	b = appendKnown(append(b, `{"class":`...), p.Class)
	b = appendEndpoint(append(b, `,"address":`...), p.Addr)
	b = appendKnown(append(b, `,"namespace":`...), p.Namespace)
	b = appendKnown(append(b, `,"service":`...), p.Service)
	b = appendKnown(append(b, `,"name":`...), p.Name)
	return append(b, '}')
}

func appendBackend(b []byte, x *Backend) []byte {
	if x == nil {
		return appendNull(b)
	}
	b = appendEndpoint(append(b, `{"address":`...), x.Addr)
	b = appendKnown(append(b, `,"namespace":`...), x.Namespace)
	b = appendKnown(append(b, `,"pod":`...), x.Pod)
	b = appendKnown(append(b, `,"node":`...), x.Node)
	b = appendString(append(b, `,"state":`...), x.State)
	b = appendTime(append(b, `,"since":`...), x.Since)
	return append(b, '}')
}

func appendAdvice(b []byte, a *Advice) []byte {
	b = append(b, '{')
	if a.Now != "" {
		b = appendString(append(b, `"now":`...), a.Now)
	}
	if a.Now != "" && a.ForGood != "" {
		b = append(b, ',')
	}
	if a.ForGood != "" {
		b = appendString(append(b, `"for_good":`...), a.ForGood)
	}
	return append(b, '}')
}

func appendEvidence(b []byte, e *Evidence) []byte {
	b = appendString(append(b, `{"source":`...), e.Source)
	b = appendString(append(b, `,"asked":`...), e.Asked)
	b = appendString(append(b, `,"answer":`...), e.Answer)
	b = appendTime(append(b, `,"at":`...), e.At)
	return append(b, '}')
}

func appendStep(b []byte, s *Step) []byte {
	b = appendTime(append(b, `{"at":`...), s.At)
	b = appendString(append(b, `,"what":`...), s.What)
	return append(b, '}')
}
