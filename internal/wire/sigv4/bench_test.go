package sigv4

import (
	"fmt"
	"net/http"
	"testing"
)

func BenchmarkVerify(b *testing.B) {
	r, body := newSDKDecrypt(b)
	v := newBenchVerifier(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), r, body); err != nil {
			b.Fatal(err)
		}
	}
}

// newBenchVerifier looks credentials up without making them anew.
func newBenchVerifier(b *testing.B) *Verifier {
	return newVerifier(b, Config{Lookup: lookupAlways(credential(exampleKey, exampleSecret), nil)})
}

func BenchmarkVerifyParallel(b *testing.B) {
	v := newBenchVerifier(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r, body := newSDKDecrypt(b)
		for pb.Next() {
			if _, err := v.Verify(b.Context(), r, body); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkVerifyMiss derives a signing key each time, as the first request of a key on a day does.
func BenchmarkVerifyMiss(b *testing.B) {
	v := newVerifier(b, Config{Keys: 1})
	var requests []*http.Request
	var body []byte
	for i := range 8 {
		r, text := newDecrypt(b)
		s := example()
		s.region = fmt.Sprint("region-", i)
		s.sign(r, text)
		requests, body = append(requests, r), text
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := v.Verify(b.Context(), requests[i%8], body); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkVerifyUnknownKey(b *testing.B) {
	benchmarkRefused(b, func(s *reference) { s.id = "AKIDOTHER" })
}

func BenchmarkVerifyWrongSignature(b *testing.B) {
	benchmarkRefused(b, func(s *reference) { s.secret = "wrong" })
}

func benchmarkRefused(b *testing.B, change func(*reference)) {
	r, body := newDecrypt(b)
	s := example()
	change(&s)
	s.sign(r, body)
	v := newVerifier(b, Config{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), r, body); err == nil {
			b.Fatal("verified")
		}
	}
}

func BenchmarkVerifyPresigned(b *testing.B) {
	r, body := newPresigned(b)
	s := example()
	s.expires = "60"
	s.presign(r, body)
	v := newVerifier(b, Config{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), r, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	r, body := newDecrypt(b)
	cred := credential(exampleKey, exampleSecret)
	b.ReportAllocs()
	for b.Loop() {
		if err := Sign(r, body, cred, "eu-central-1", "kms", exampleTime()); err != nil {
			b.Fatal(err)
		}
	}
}

// newSDKDecrypt is a signed Decrypt call with the headers of the SDK for Go.
func newSDKDecrypt(b *testing.B) (*http.Request, []byte) {
	b.Helper()
	r, body := newDecrypt(b)
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Amz-Sdk-Invocation-Id", "7a9b0a8e-2c3e-4f0b-9f3d-3f2b6a1c5d7e")
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	s := example()
	s.signed = []string{"accept-encoding", "amz-sdk-invocation-id", "amz-sdk-request", "content-length", "content-type", "host", "x-amz-date", "x-amz-target"}
	s.sign(r, body)
	return r, body
}
