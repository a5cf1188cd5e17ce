package iam

import (
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/policy"
)

// place is where a statement of a document begins and ends: lines and columns from 1.
type place struct{ start, end iamapi.Position }

// placesOf returns the places of a policy's statements, which are found once.
func (x *simulation) placesOf(p *policy.Policy) []place {
	all, ok := x.places[p]
	if !ok {
		if x.places == nil {
			x.places = map[*policy.Policy][]place{}
		}
		all = findPlaces(p)
		x.places[p] = all
	}
	return all
}

func findPlaces(p *policy.Policy) []place {
	all, c := make([]place, p.Len()), cursor{document: p.Text()}
	for i := range all { // statements with the same text are told apart by their order
		text := p.Statement(i)
		from := c.offset + strings.Index(c.document[c.offset:], text)
		all[i].start = c.move(from)
		all[i].end = c.move(from + len(text))
	}
	return all
}

// cursor goes through a document once.
type cursor struct {
	document                string
	offset, line, lineStart int
}

// move goes on to an offset and returns what people call it.
func (c *cursor) move(offset int) iamapi.Position {
	passed := c.document[c.offset:offset]
	c.line += strings.Count(passed, "\n")
	if i := strings.LastIndexByte(passed, '\n'); i >= 0 {
		c.lineStart = c.offset + i + 1
	}
	c.offset = offset
	return iamapi.Position{Line: new(int32(c.line + 1)), Column: new(int32(offset - c.lineStart + 1))}
}
