package policy

import "strings"

// Values are what a request has for a condition key: One for a key with a single value, or Many (perhaps none) for a
// multi-valued key.
type Values struct {
	One   string
	Many  []string
	Multi bool // Many counts, One does not
	// Ambiguous says that Many are the values of a key that should have one. No condition of a statement that allows is
	// met by them, and every one of a statement that denies: whoever sends them gains nothing.
	Ambiguous bool
}

// One is the value of a single-valued key.
func One(s string) Values { return Values{One: s} }

// Many are the values of a multi-valued key.
func Many(s []string) Values { return Values{Many: s, Multi: true} }

// OneOf are the values found for a key that should have one. ok is false if there are none.
func OneOf(found []string) (v Values, ok bool) {
	switch len(found) {
	case 0:
		return Values{}, false
	case 1:
		return One(found[0]), true
	}
	return Values{Many: found, Multi: true, Ambiguous: true}, true
}

// TagValue returns what a condition key of a tag, such as aws:ResourceTag/name, means in a list: the case of keys does not
// matter there, though it may tell tags apart, so the values of all tags count whose keys are equal but for their case.
func TagValue[T any](tags []T, name string, tag func(*T) (key, value string)) (v Values, ok bool) {
	var found []string
	for i := range tags {
		key, value := tag(&tags[i])
		switch {
		case !strings.EqualFold(key, name):
		case !ok:
			v, ok = One(value), true
		default:
			if found == nil {
				found = append(found, v.One)
			}
			found = append(found, value)
		}
	}
	if found != nil {
		return OneOf(found)
	}
	return v, ok
}
