//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// table prints what was measured, a line as soon as it is known.
type table struct {
	w       io.Writer
	servers servers
}

const lineFormat = "%-16s %5s  %-11s %9s  %-18s %9s %9s  %9s %6s  %9s\n"

func newTable(w io.Writer, placement string, all servers) *table {
	what := "servers and load share all processors"
	if placement == split {
		what = "servers on one half of the processors, load on the other"
	}
	fmt.Fprintf(w, "\n%s: %s\n", placement, what)
	fmt.Fprintf(w, lineFormat, "operation", "conns", "server", "req/s", "of bare (min-max)", "p50", "p99", "CPU/req", "× bare", "load/req")
	return &table{w, all}
}

// cell prints the rows of a cell, the first of which is what the others are compared with.
func (t *table) cell(operation string, conns int, rows []*row) {
	for i, r := range rows {
		ratio, times := "", ""
		if i > 0 {
			q := r.ratios(rows[0])
			ratio = fmt.Sprintf("%3.0f %% (%.0f-%.0f)", 100*median(q), 100*slices.Min(q), 100*slices.Max(q))
			times = fmt.Sprintf("%.2f", float64(r.perRequest(r.cpu))/float64(rows[0].perRequest(rows[0].cpu)))
		}
		fmt.Fprintf(t.w, lineFormat, operation, fmt.Sprint(conns), r.server.Name, fmt.Sprintf("%.0f", median(slices.Sorted(slices.Values(r.perSecond)))),
			ratio, micros(r.latency.Quantile(0.5)), micros(r.latency.Quantile(0.99)), micros(r.perRequest(r.cpu)), times, r.load())
	}
}

// end prints what the servers needed over all cells.
func (t *table) end() {
	for _, s := range t.servers {
		m, err := s.Memory()
		if err != nil {
			fmt.Fprintf(t.w, "%s: memory: %v\n", s.Name, err)
			continue
		}
		fmt.Fprintf(t.w, "%-11s ready after %3d ms, peak memory %3d MB\n", s.Name, s.Ready.Milliseconds(), m.Peak>>20)
	}
}

// load is the load's own processor time for a request, where it means something: apart from the servers it never rests.
func (r *row) load() string {
	if r.server.apart {
		return ""
	}
	return micros(r.perRequest(r.loadCPU))
}

func micros(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d)/1e3) }
