package sigv4

import (
	"testing"
	"time"
)

// parseBasic agrees with time.Parse on every day of years with and without a leap day, and on what is no day.
func TestParseBasicAgreesWithTimeParse(t *testing.T) {
	n := 0
	for _, year := range []string{"0000", "1900", "2000", "2015", "2016", "9999"} {
		for month := range 14 {
			for day := range 34 {
				s := year + two(month) + two(day) + "T" + two(day%26) + two((month*5)%62) + two((day*2)%62) + "Z"
				got, ok := parseBasic(s)
				want, err := time.Parse(basicFormat, s)
				if ok != (err == nil) || ok && !got.Equal(want) {
					t.Fatalf("%s: got %v %v, want %v %v", s, got, ok, want, err)
				}
				n++
			}
		}
	}
	if n < 2800 {
		t.Fatalf("only %d dates ran", n)
	}
	for _, s := range []string{"", "20150830T123600", "20150830T123600z", "20150830t123600Z", "20150830 123600Z", "2015083OT123600Z", "+0150830T123600Z", "-1-50830T123600Z"} {
		if _, ok := parseBasic(s); ok {
			t.Errorf("%q is read", s)
		}
	}
}

func two(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }
