package policy

import (
	"unicode"
	"unicode/utf8"
)

// Fold returns the one form of all texts that differ in case alone: two texts have the same one exactly if
// strings.EqualFold says that they are equal. ASCII letters become small ones. Names of condition keys are compared by
// it, wherever they come from; strings.ToLower would make İ an i, which EqualFold does not.
func Fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || isUpper(c) {
			return string(appendFold(make([]byte, 0, len(s)), s))
		}
	}
	return s
}

// appendFold appends the folded form of a text.
func appendFold(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			b = append(b, lower(c))
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		b = utf8.AppendRune(b, foldRune(r))
		i += n
	}
	return b
}

// foldRune returns the smallest of the characters that are the same but for their case, in ASCII the small letter.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least < utf8.RuneSelf {
		return rune(lower(byte(least)))
	}
	return least
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

func lower(c byte) byte {
	if isUpper(c) {
		return c + ('a' - 'A')
	}
	return c
}

// foldsTo reports whether the folded form of a text is another, and what it cost to find out. It allocates nothing.
func foldsTo(s, folded string) (equal bool, cost work) {
	var memory [utf8.UTFMax]byte
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if cost++; folded == "" || lower(c) != folded[0] {
				return false, cost
			}
			folded, i = folded[1:], i+1
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		b := utf8.AppendRune(memory[:0], foldRune(r))
		if cost += foldWork; len(folded) < len(b) || folded[:len(b)] != string(b) {
			return false, cost
		}
		folded, i = folded[len(b):], i+n
	}
	return folded == "", cost
}

// equalLower reports whether a text is equal to one in small ASCII letters, but for the case of ASCII letters.
func equalLower(s, small string) bool {
	if len(s) != len(small) {
		return false
	}
	for i := range len(s) {
		if lower(s[i]) != small[i] {
			return false
		}
	}
	return true
}
