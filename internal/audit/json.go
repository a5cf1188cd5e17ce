package audit

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

// appendMember appends ,"name":"value"; name is ours and needs no escaping.
func appendMember(b []byte, name, value string) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':', '"')
	b = appendText(b, value)
	return append(b, '"')
}

// appendOptional is appendMember, or nothing for an empty value.
func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(b, name, value)
}

// appendTexts appends an array of strings.
func appendTexts(b []byte, all []string) []byte {
	b = append(b, '[')
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(append(b, '"'), s), '"')
	}
	return append(b, ']')
}

// appendText escapes s, cut to MaxTextBytes, for the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendText(b []byte, s string) []byte {
	s = cut(s)
	start := 0
	for i := 0; i < len(s); {
		if i+8 <= len(s) && !special(binary.LittleEndian.Uint64([]byte(s[i:i+8]))) {
			i += 8
			continue
		}
		if c := s[i]; c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			b = appendEscape(b, rune(c))
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || hidden(r) {
			b = append(b, s[start:i]...)
			b = appendEscape(b, r)
			start = i + n
		}
		i += n
	}
	return append(b, s[start:]...)
}

// cut returns at most MaxTextBytes of s, without splitting a character.
func cut(s string) string {
	if len(s) <= MaxTextBytes {
		return s
	}
	n := MaxTextBytes
	for n > MaxTextBytes-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

const (
	each = 0x0101010101010101 // times a byte: that byte in each of eight places
	high = 0x80 * each
)

// unprintable says whether one of eight bytes is a control character or not ASCII. Of bytes below 0x80, only those
// below the subtrahend get their high bit set by the subtraction; a borrow can only follow one such.
func unprintable(w uint64) bool { return (w|(w-' '*each)|((w^0x7f*each)-each))&high != 0 }

// special says whether one of eight bytes is unprintable, a quote or a backslash.
func special(w uint64) bool {
	return unprintable(w) || (((w^'"'*each)-each)|((w^'\\'*each)-each))&high != 0
}

// hidden holds for characters that are not shown as themselves and could make a record look like another one: control
// characters (terminals obey them, and some tools split lines at U+0085), the line separators U+2028 and U+2029, and
// those that change the direction of text. They are legal in JSON, but reviewers read the log in terminals.
func hidden(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func appendEscape(b []byte, r rune) []byte {
	if r == '"' || r == '\\' {
		return append(b, '\\', byte(r))
	}
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// appendDetail appends ,"name": and value, which is JSON. Line breaks between its tokens become spaces, since a line
// is a record; hidden characters, which valid JSON has only inside its strings, are escaped. What is then larger than
// MaxDetailBytes is left out; escaping shortens nothing, so that the size as it came can decide alone.
func appendDetail(b []byte, name string, value []byte) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	if len(value) == 0 {
		return append(b, "null"...)
	}
	if len(value) > MaxDetailBytes {
		return appendOmitted(b, len(value))
	}
	open := len(b)
	b = appendEscapedJSON(b, value)
	if len(b)-open > MaxDetailBytes {
		return appendOmitted(b[:open], len(value))
	}
	return b
}

// appendOmitted appends what stands for a detail of size bytes.
func appendOmitted(b []byte, size int) []byte {
	b = append(b, `{"omitted":true,"originalSize":`...)
	b = strconv.AppendInt(b, int64(size), 10)
	return append(b, '}')
}

func appendEscapedJSON(b, value []byte) []byte {
	start := 0
	for i := 0; i < len(value); {
		if i+8 <= len(value) && !unprintable(binary.LittleEndian.Uint64(value[i:])) {
			i += 8
			continue
		}
		if c := value[i]; c >= ' ' && c < 0x7f {
			i++
			continue
		}
		r, n := utf8.DecodeRune(value[i:])
		if r == utf8.RuneError && n == 1 || hidden(r) {
			b = append(b, value[start:i]...)
			if r < ' ' {
				b = append(b, ' ')
			} else {
				b = appendEscape(b, r)
			}
			start = i + n
		}
		i += n
	}
	return append(b, value[start:]...)
}

// appendUUID appends a random UUID (RFC 9562, version 4).
func appendUUID(b []byte) []byte {
	var u [16]byte
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	b = append(hex.AppendEncode(b, u[:4]), '-')
	b = append(hex.AppendEncode(b, u[4:6]), '-')
	b = append(hex.AppendEncode(b, u[6:8]), '-')
	b = append(hex.AppendEncode(b, u[8:10]), '-')
	return hex.AppendEncode(b, u[10:])
}
