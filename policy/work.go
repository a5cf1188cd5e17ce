package policy

// work is what comparing may still cost, in units of about a nanosecond. Below zero it is spent, and nothing is known of
// what was to be compared: a statement that denies does, and one that allows does not.
//
// Requests name many values, documents many patterns, and variables make one of the other. Each part of a document (its
// actions, its resources, a condition) has work in proportion to its text, so that what a part says depends on nothing
// but itself and the request, and a whole document takes no longer than its length makes it. Only requests and documents
// that were made to take long ever spend it: a part that has no work left has looked at each of its bytes a thousand times.
type work int

const (
	// workPerByte is the work for each byte of a document of a usual size.
	workPerByte = 1024
	// maxWork bounds that of a document, however long it is. Documents of up to 32 KiB have all they can have.
	maxWork = 32 << 20
	// spent is the work left where nothing can be known.
	spent work = -1
)

// What things cost. The figures are those of the benchmarks of the worst documents, rounded up.
const (
	compareWork = 8   // two texts that differ soon
	stepWork    = 6   // a token of a pattern
	lookupWork  = 128 // a condition key of the request
	parseWork   = 128 // a number, a date, an address
	foldWork    = 64  // a character outside ASCII, without its case
)

// workOf returns the work of a part of a document.
func (p *parser) workOf(n *node) work {
	return work(n.end-n.start+len(n.name)) * p.perByte
}

// compared is what is left after two texts were compared; byte by byte if case does not matter.
func (w work) compared(a, b string, fold bool) work {
	n := min(len(a), len(b))
	if !fold {
		n >>= 4
	}
	return w - compareWork - work(n)
}

// unless is what is left if all is known that was to be.
func (w work) unless(unknown bool) work {
	if unknown {
		return spent
	}
	return w
}

// searched is what is left after a text was looked for in so many bytes.
func (w work) searched(n int) work { return w - work(n>>1) }

// joined is what is left after so many bytes were put together. Memory is dearer than time.
func (w work) joined(n int) work { return w - work(n<<2) }

// parsed is what is left after a value was read and compared with n others.
func (w work) parsed(got string, n int) work {
	return w - parseWork - work(len(got)) - work(n)*work(8+len(got)>>4)
}

// folded is what is left after a text was folded.
func (w work) folded(s string) work {
	w -= work(len(s) << 1)
	for i := range len(s) {
		if s[i] >= 0x80 {
			w -= foldWork / 2
		}
	}
	return w
}
