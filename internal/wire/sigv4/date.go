package sigv4

import (
	"net/http"
	"strconv"
	"time"

	"github.com/trent-kms/trent/internal/api"
)

const (
	basicFormat = "20060102T150405Z" // ISO 8601 basic format
	basicLength = len(basicFormat)
)

// setTime reads the time of signing: ISO 8601 basic format, or, for a Date header, one of HTTP's formats (RFC 9110,
// section 5.6.7). The string to sign has the former in any case.
func (a *authorization) setTime(s string) error {
	if at, ok := parseBasic(s); ok {
		a.at, a.timestamp = at, s
		return nil
	}
	at, err := http.ParseTime(s)
	if err != nil || at.Year() < 0 || at.Year() > 9999 {
		return api.IncompleteSignatureException(
			"Date must be in ISO-8601 'basic format'. Got '%.64s'. See http://en.wikipedia.org/wiki/ISO_8601", s)
	}
	a.at = at.UTC()
	a.timestamp = a.at.Format(basicFormat)
	return nil
}

// parseBasic reads 20150830T123600Z and nothing else; time.Parse would let fractions of a second pass.
func parseBasic(s string) (time.Time, bool) {
	if len(s) != basicLength || s[8] != 'T' || s[15] != 'Z' {
		return time.Time{}, false
	}
	year, month, day := number(s[:4]), number(s[4:6]), number(s[6:8])
	hour, minute, second := number(s[9:11]), number(s[11:13]), number(s[13:15])
	for _, n := range [...]struct{ value, from, to int }{
		{year, 0, 9999}, {month, 1, 12}, {day, 1, 31}, {hour, 0, 23}, {minute, 0, 59}, {second, 0, 59},
	} {
		if n.value < n.from || n.value > n.to {
			return time.Time{}, false
		}
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return at, at.Day() == day // time.Date counts on from a 31 February
}

// number returns the value of decimal digits, -1 for anything else.
func number(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = 10*n + int(s[i]-'0')
	}
	return n
}

// checkTime refuses a signature that is too old or from the future, in AWS's words.
func (a *authorization) checkTime(now time.Time) error {
	now = now.UTC().Truncate(time.Second)
	lifetime := skew
	if a.validFor > 0 {
		lifetime = a.validFor
	}
	if oldest := now.Add(-lifetime); a.at.Before(oldest) {
		return api.InvalidSignatureException("Signature expired: %s is now earlier than %s (%s - %s)",
			a.timestamp, oldest.Format(basicFormat), now.Format(basicFormat), inWords(lifetime))
	}
	if latest := now.Add(skew); a.at.After(latest) {
		return api.InvalidSignatureException("Signature not yet current: %s is still later than %s (%s + %s)",
			a.timestamp, latest.Format(basicFormat), now.Format(basicFormat), inWords(skew))
	}
	return nil
}

func inWords(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d/time.Minute)) + " min."
	}
	return strconv.Itoa(int(d/time.Second)) + " s."
}
