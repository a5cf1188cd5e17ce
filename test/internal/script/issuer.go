package script

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trent-kms/trent/test/internal/harness"
)

func issuerCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: issuer")
	}
	i, err := harness.NewIssuer()
	ts.Check(err)
	ts.Defer(i.Close)
	of(ts).issuer = i
	ts.Setenv("ISSUER", i.URL)
	ts.Setenv("PROVIDER", strings.TrimPrefix(i.URL, "http://"))
}

func tokenCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || of(ts).issuer == nil {
		ts.Fatalf("usage, after issuer: token FILE CLAIM=VALUE…")
	}
	claims := map[string]any{"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		claims[name] = value
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			claims[name] = n
		}
	}
	token, err := of(ts).issuer.Token(claims)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(token), 0o600))
}
