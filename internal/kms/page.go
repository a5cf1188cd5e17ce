package kms

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// pager is one page of a listing: how many entries, and after which name. A marker is the operation, the filter and the
// last name of the page before, in base64url; it is not secret and works only for the listing that gave it.
type pager struct {
	scope string
	after string
	limit int
}

const invalidMarker = "The marker is not valid for this request."

// newPager reads Marker and Limit. A Limit over the operation's own maximum, which the shape allows, is cut to it.
func newPager(c *service.Call, marker *string, limit *int32, byDefault, most int, filter string) (pager, error) {
	p := pager{scope: c.Operation + "\n" + filter + "\n", limit: byDefault}
	if limit != nil {
		p.limit = min(int(*limit), most)
	}
	if marker == nil {
		return p, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(*marker)
	after, ok := strings.CutPrefix(string(b), p.scope)
	if err != nil || !ok || after == "" {
		return pager{}, kmsapi.InvalidMarkerException(invalidMarker)
	}
	p.after = after
	return p, nil
}

// next returns NextMarker and Truncated for a page that ends with last; more says whether entries follow.
func (p pager) next(last string, more bool) (*string, *bool) {
	if !more {
		return nil, &more
	}
	return new(base64.RawURLEncoding.EncodeToString([]byte(p.scope + last))), &more
}

// maxLooked bounds how many records one call of a listing looks at.
const maxLooked = 1000

// scan calls add for the records under a prefix, in order, until the page is full. add says whether the record became
// an entry; one that is deleted by time does not. After maxLooked records the page ends as it is, and whether anything but
// deleted ones follows is not looked up: a page can be short, and the last one empty, which the API allows.
func (p pager) scan(ctx context.Context, s *Service, prefix string, add func(store.Record) (bool, error)) (*string, *bool, error) {
	after, n, looked := p.after, 0, 0
	if after != "" {
		after = prefix + after
	}
	for {
		page, err := s.store.Range(ctx, prefix, after, max(p.limit-n, 100))
		if err != nil {
			return nil, nil, err
		}
		for i := range page.Records {
			after = page.Records[i].Key
			added, err := add(page.Records[i])
			if err != nil {
				return nil, nil, err
			}
			if added {
				n++
			}
			if looked++; n == p.limit || looked >= maxLooked {
				marker, truncated := p.next(strings.TrimPrefix(after, prefix), page.More || i+1 < len(page.Records))
				return marker, truncated, nil
			}
		}
		if !page.More {
			marker, truncated := p.next("", false)
			return marker, truncated, nil
		}
	}
}

// slicePage returns the page of a list that is wholly in memory and ordered by name.
func slicePage[T any](p pager, all []T, name func(*T) string) ([]T, *string, *bool) {
	from := 0
	for from < len(all) && p.after != "" && name(&all[from]) <= p.after {
		from++
	}
	to := min(from+p.limit, len(all))
	page := all[from:to]
	if len(page) == 0 {
		return []T{}, nil, new(false)
	}
	marker, truncated := p.next(name(&page[len(page)-1]), to < len(all))
	return page, marker, truncated
}

// indexPage returns the page of a list that is wholly in memory and only ever grows at its end: its markers count.
func indexPage[T any](p pager, all []T) (page []T, marker *string, truncated *bool) {
	from, err := strconv.Atoi(p.after)
	if err != nil || from < 0 || from > len(all) {
		from = 0
	}
	to := min(from+p.limit, len(all))
	marker, truncated = p.next(strconv.Itoa(to), to < len(all))
	return all[from:to], marker, truncated
}
