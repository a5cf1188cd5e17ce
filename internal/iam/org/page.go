package org

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// Pages have 20 entries, and fewer if a caller wants fewer.
const pageSize = 20

// maxLooked bounds how many records one call of a listing looks at. A page can be short, and even empty, while more
// follows, which the API allows.
const maxLooked = 1000

// pager is one page of a listing: how many entries, and after which place. A token is the operation, the organization, the
// filter and the place, in base64url; it is not secret and works only for the listing that gave it.
type pager struct {
	scope string
	after string // empty, or the number of a part, '/', and the rest of the last key
	limit int
}

func newPager(c *service.Call, t *target, token *string, limit *int32, filter ...string) (pager, error) {
	p := pager{scope: c.Operation + "\n" + t.org.ID + "\n" + strings.Join(filter, ",") + "\n", limit: pageSize}
	if limit != nil {
		p.limit = min(int(*limit), pageSize)
	}
	if token == nil {
		return p, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(*token)
	after, ok := strings.CutPrefix(string(b), p.scope)
	if err != nil || !ok || after == "" {
		return pager{}, invalid("INVALID_NEXT_TOKEN", "You specified an invalid next token.")
	}
	p.after = after
	return p, nil
}

func (p pager) token(part int, rest string) *string {
	return new(base64.RawURLEncoding.EncodeToString([]byte(p.scope + strconv.Itoa(part) + "/" + rest)))
}

// part is the records under a prefix. add says whether one became an entry.
type part struct {
	prefix string
	add    func(store.Record) (bool, error)
}

// scan fills a page: first, if it is not nil, adds an entry that no record holds; then come the parts, one after the
// other. It returns the token of the next page.
func (p pager) scan(ctx context.Context, s *Service, first func(), parts ...part) (*string, error) {
	at, rest, n := 0, "", 0
	if p.after != "" {
		number, after, _ := strings.Cut(p.after, "/")
		i, err := strconv.Atoi(number)
		if err != nil || i < 0 || i >= len(parts) {
			return nil, invalid("INVALID_NEXT_TOKEN", "You specified an invalid next token.")
		}
		at, rest = i, after
	} else if first != nil {
		first()
		if n++; n == p.limit {
			return p.token(0, ""), nil
		}
	}
	for looked := 0; at < len(parts); at, rest = at+1, "" {
		more, err := p.fill(ctx, s, parts[at], &rest, &n, &looked)
		if err != nil {
			return nil, err
		}
		if more || (n == p.limit || looked >= maxLooked) && at+1 < len(parts) {
			if !more {
				at, rest = at+1, ""
			}
			return p.token(at, rest), nil
		}
	}
	return nil, nil
}

// fill goes on with a part until the page is full; more says that the part has more records.
func (p pager) fill(ctx context.Context, s *Service, from part, rest *string, n, looked *int) (more bool, err error) {
	for {
		after := ""
		if *rest != "" {
			after = from.prefix + *rest
		}
		page, err := s.store.Range(ctx, from.prefix, after, max(p.limit-*n, 100))
		if err != nil {
			return false, err
		}
		for i, r := range page.Records {
			added, err := from.add(r)
			if err != nil {
				return false, err
			}
			*rest = strings.TrimPrefix(r.Key, from.prefix)
			if added {
				*n++
			}
			if *looked++; *n == p.limit || *looked >= maxLooked {
				return page.More || i+1 < len(page.Records), nil
			}
		}
		if !page.More {
			return false, nil
		}
	}
}

// slicePage returns the page of a list that is wholly in memory.
func slicePage[T any](p pager, all []T) ([]T, *string, error) {
	from := 0
	if p.after != "" {
		i, err := strconv.Atoi(strings.TrimPrefix(p.after, "0/"))
		if err != nil || i < 0 || i > len(all) {
			return nil, nil, invalid("INVALID_NEXT_TOKEN", "You specified an invalid next token.")
		}
		from = i
	}
	to := min(from+p.limit, len(all))
	if to == len(all) {
		return all[from:], nil, nil
	}
	return all[from:to], p.token(0, strconv.Itoa(to)), nil
}
