package hsm

import (
	"fmt"
	"testing"
)

// benchContext is what integrations typically send: a few short pairs.
func benchContext() map[string]string {
	return map[string]string{"tenant": "blue", "purpose": "backup", "aws:s3:arn": "arn:aws:s3:::bucket/object"}
}

// benchBoth runs f alone and on all processors.
func benchBoth(b *testing.B, name string, f func() error) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func BenchmarkEncrypt(b *testing.B) {
	h, k := newTestKey(b)
	context := benchContext()
	for _, size := range []int{32, 1024, 4096} {
		plaintext := make([]byte, size)
		benchBoth(b, fmt.Sprint(size), func() error {
			_, err := h.Encrypt(b.Context(), k, context, plaintext)
			return err
		})
	}
}

func BenchmarkDecrypt(b *testing.B) {
	h, k := newTestKey(b)
	for _, size := range []int{32, 1024, 4096} {
		for name, context := range map[string]map[string]string{"context": benchContext(), "bare": nil} {
			ciphertext, err := h.Encrypt(b.Context(), k, context, make([]byte, size))
			if err != nil {
				b.Fatal(err)
			}
			benchBoth(b, fmt.Sprint(size, "/", name), func() error {
				_, err := h.Decrypt(b.Context(), k, context, ciphertext)
				return err
			})
		}
	}
}

func BenchmarkGenerateDataKey(b *testing.B) {
	h, k := newTestKey(b)
	context := benchContext()
	benchBoth(b, "32", func() error {
		_, _, err := h.GenerateDataKey(b.Context(), k, context, 32)
		return err
	})
}

// BenchmarkUnwrapMiss is what the first use of a key costs more than the next.
func BenchmarkUnwrapMiss(b *testing.B) {
	h, k := newTestKey(b)
	benchBoth(b, "open", func() error {
		_, err := h.open(k)
		return err
	})
}

func BenchmarkParseHeader(b *testing.B) {
	h, k := newTestKey(b)
	ciphertext, err := h.Encrypt(b.Context(), k, nil, make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	benchBoth(b, "32", func() error {
		_, err := ParseHeader(ciphertext)
		return err
	})
}
