package iam

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/service"
)

// Listings return 100 entries unless asked for another number, at most 1000 (IAM API Reference, MaxItems).
const pageSize = 100

// pager is one page of a listing: how many entries, and after which one. A marker is a fingerprint of the listing and the
// last entry of the page before, in base64url; it is not secret and works only for the listing that gave it.
type pager struct {
	scope string
	after string
	limit int
}

const scopeBytes = 9

// newPager reads Marker and MaxItems. filters are what else tells one listing from another.
func newPager(c *service.Call, marker *string, maxItems *int32, filters ...string) (pager, error) {
	sum := sha256.Sum256([]byte(c.Operation + "\n" + strings.Join(filters, "\n")))
	p := pager{scope: string(sum[:scopeBytes]), limit: pageSize}
	if maxItems != nil {
		p.limit = int(*maxItems)
	}
	if marker == nil {
		return p, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(*marker)
	after, ok := strings.CutPrefix(string(b), p.scope)
	if err != nil || !ok || after == "" {
		return pager{}, api.ValidationException("Invalid Marker.")
	}
	p.after = after
	return p, nil
}

// next returns IsTruncated and Marker for a page that ends with last; more says whether entries follow.
func (p pager) next(last string, more bool) (truncated *bool, marker *string) {
	if !more {
		return &more, nil
	}
	return &more, new(base64.RawURLEncoding.EncodeToString([]byte(p.scope + last)))
}

// maxLooked bounds how many records one call of a listing looks at.
const maxLooked = 1000

// scan calls add for the keys under a prefix, without it and in order, until the page is full. add says whether the record
// became an entry. After maxLooked records the page ends as it is: it can be short, and the last one empty, which the API
// allows.
func (p pager) scan(ctx context.Context, s *Service, prefix string, add func(key string, value []byte) (bool, error)) (truncated *bool, marker *string, err error) {
	after, n, looked := p.after, 0, 0
	if after != "" {
		after = prefix + after
	}
	for {
		page, err := s.Store.Range(ctx, prefix, after, max(p.limit-n, pageSize))
		if err != nil {
			return nil, nil, err
		}
		for i := range page.Records {
			after = page.Records[i].Key
			added, err := add(strings.TrimPrefix(after, prefix), page.Records[i].Value)
			if err != nil {
				return nil, nil, err
			}
			if added {
				n++
			}
			if looked++; n == p.limit || looked >= maxLooked {
				truncated, marker = p.next(strings.TrimPrefix(after, prefix), page.More || i+1 < len(page.Records))
				return truncated, marker, nil
			}
		}
		if !page.More {
			return new(false), nil, nil
		}
	}
}

// slicePage returns the page of a list that is wholly in memory, ordered by what key returns.
func slicePage[T any](p pager, all []T, key func(*T) string) (page []T, truncated *bool, marker *string) {
	from := 0
	for from < len(all) && p.after != "" && key(&all[from]) <= p.after {
		from++
	}
	to := min(from+p.limit, len(all))
	if from == to {
		return []T{}, new(false), nil
	}
	truncated, marker = p.next(key(&all[to-1]), to < len(all))
	return all[from:to], truncated, marker
}

// hasPath says whether a path passes a listing's filter.
func hasPath(path string, prefix *string) bool {
	return prefix == nil || strings.HasPrefix(path, *prefix)
}

// text is the value of an optional member, empty if it is absent.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
