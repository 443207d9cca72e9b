package kube

import (
	"context"
	"log/slog"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

const (
	maxJobs  = 1000        // names that are remembered
	jobPause = time.Second // between two requests
)

// jobs finds the CronJob of each pod of a Job: the pod's own record names the
// Job alone. Each Job is read once.
type jobs struct {
	client *client
	state  *cluster.State
	log    *slog.Logger

	mu    sync.Mutex
	names map[cluster.Key]string   // of Jobs that were read: their CronJob, or ""
	open  map[cluster.Key][]string // Jobs to read, and the UIDs of their pods
}

func newJobs(c *client, state *cluster.State, log *slog.Logger) *jobs {
	return &jobs{
		client: c, state: state, log: log,
		names: make(map[cluster.Key]string), open: make(map[cluster.Key][]string),
	}
}

// name returns a pod with the workload that people know it by. If that is not
// known yet, the pod's record gets it later.
func (j *jobs) name(p cluster.Pod) cluster.Pod {
	if p.WorkloadKind != "Job" {
		return p
	}
	job := cluster.Key{Namespace: p.Namespace, Name: p.Workload}
	j.mu.Lock()
	defer j.mu.Unlock()
	if cron, known := j.names[job]; known {
		if cron != "" {
			p.Workload, p.WorkloadKind = cron, "CronJob"
		}
		return p
	}
	if len(j.open) < maxJobs {
		j.open[job] = append(j.open[job], p.UID)
	}
	return p
}

// run reads Jobs until ctx ends.
func (j *jobs) run(ctx context.Context) {
	pause := time.NewTicker(jobPause)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		if job, ok := j.next(); ok {
			j.ask(ctx, job)
		}
	}
}

func (j *jobs) next() (cluster.Key, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for job := range j.open {
		return job, true
	}
	return cluster.Key{}, false
}

func (j *jobs) ask(ctx context.Context, job cluster.Key) {
	cron := ""
	object, err := get[batchv1.Job](ctx, j.client.batch, "jobs", job.Namespace, job.Name)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err): // the pods keep the name of the Job
		j.log.Debug("kubernetes API", "err", err)
	case err != nil:
		return // the Job is read again later
	default:
		if owner := metav1.GetControllerOfNoCopy(object); owner != nil && owner.Kind == "CronJob" {
			cron = owner.Name
		}
	}
	j.mu.Lock()
	pods := j.open[job]
	delete(j.open, job)
	if len(j.names) >= maxJobs {
		clear(j.names)
	}
	j.names[job] = cron
	j.mu.Unlock()
	if cron == "" {
		return
	}
	for _, uid := range pods {
		j.state.Lookups().SetWorkload(uid, cron, "CronJob")
	}
}
