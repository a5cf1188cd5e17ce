// Package script is what the scripts of this folder can do: start a server of the built program, call it with the AWS CLI
// as this principal or that, and compare what comes back. The scripts are in the language of testscript.
package script

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"go.etcd.io/bbolt"

	"github.com/trent-kms/trent/test/internal/harness"
)

// Commands are what scripts know besides the commands of testscript:
//
//	server FLAG…        start trent server; AWS_ENDPOINT_URL says where, and server.log has what it says
//	restart             start it again with the same flags after it has ended
//	finish              SIGTERM; it must exit with status 0
//	crash               SIGKILL
//	kms OPERATION …     the AWS CLI's kms commands against the server, as test, or as $AS with $SECRET
//	iam OPERATION …     likewise, as are sts and organizations
//	credentials NAME    the last output is of create-access-key, of an operation of sts that makes temporary
//	                    credentials, or of trent service register: from now on they are NAME's
//	as NAME             the next calls are NAME's; test, or an account id, is an account's root user
//	error CODE [TEXT]   the last call failed with this code and exactly this text; without TEXT, with none
//	denied ACTION RESOURCE REASON
//	                    the last call failed with AccessDeniedException, and its text is AWS's: that this caller is not
//	                    authorized to perform ACTION on RESOURCE because REASON allows it not (no identity-based policy),
//	                    or with REASON (an explicit deny in an identity-based policy)
//	keep NAME           the last output, without the line end, becomes $NAME
//	exits N COMMAND …   the command's exit status is N
//	fill FILE…          every @NAME@ in the files becomes $NAME
//	occupy NAME         a port of the loopback address that is in use; $NAME is the address
//	free NAME           one that is not
//	issuer              start an OpenID Connect identity provider, $ISSUER
//	token FILE CLAIM=VALUE…
//	                    an ID token of it with these claims, valid for an hour
//	certificate         chain.pem and key.pem for 127.0.0.1
//	newer FILE          the store in FILE has a format that no program knows yet
func Commands() map[string]func(*testscript.TestScript, bool, []string) {
	commands := map[string]func(*testscript.TestScript, bool, []string){
		"server":      serverCommand,
		"restart":     func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).start(ts) },
		"finish":      func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(of(ts).server.Stop()) },
		"crash":       func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(of(ts).server.Kill()) },
		"credentials": credentialsCommand,
		"as":          asCommand,
		"error":       errorCommand,
		"denied":      deniedCommand,
		"keep":        keepCommand,
		"exits":       exitsCommand,
		"fill":        fillCommand,
		"occupy":      occupyCommand,
		"free":        freeCommand,
		"issuer":      issuerCommand,
		"token":       tokenCommand,
		"certificate": certificateCommand,
		"newer":       newerCommand,
	}
	for _, service := range []string{"kms", "iam", "sts", "organizations"} {
		commands[service] = func(ts *testscript.TestScript, neg bool, args []string) { client(ts, neg, service, args) }
	}
	return commands
}

// session is what a script has running.
type session struct {
	args    []string
	server  *harness.Server
	callers map[string]identity // by name
	issuer  *harness.Issuer
}

type sessionKey struct{}

// noProfile stands for the files of the AWS CLI that a script does not have. While it has none, its calls are signed as $AS.
const noProfile = "/dev/null"

func of(ts *testscript.TestScript) *session { return ts.Value(sessionKey{}).(*session) }

// Prepare gives a script a bare environment: its programs, and nothing of whoever runs the tests.
func Prepare(e *testscript.Env, programs string) error {
	e.Values[sessionKey{}] = &session{callers: make(map[string]identity)}
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("PATH", programs+":/usr/bin:/bin")
	e.Setenv("AWS_CONFIG_FILE", noProfile)
	e.Setenv("AWS_SHARED_CREDENTIALS_FILE", noProfile)
	e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e.Setenv("AWS_MAX_ATTEMPTS", "1")
	e.Setenv("AWS_PAGER", "")
	e.Setenv("REGION", "us-east-1")
	return nil
}

func serverCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("unsupported: ! server; use: exits 1 trent server …")
	}
	s := of(ts)
	s.args = args
	s.start(ts)
}

// start launches a server with the session's flags. What it says goes to server.log, after what one before it said.
func (s *session) start(ts *testscript.TestScript) {
	if s.server != nil {
		ts.Check(s.server.Stop())
	}
	log, err := os.OpenFile(ts.MkAbs("server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	var settings []string
	for _, name := range []string{"TRENT_REGION", "TRENT_DATA_DIR", "TRENT_LISTEN", "TRENT_DEV"} {
		if v := ts.Getenv(name); v != "" {
			settings = append(settings, name+"="+v)
		}
	}
	server, err := harness.Launch(harness.Config{Args: s.args, Env: settings, Dir: ts.MkAbs("."), Log: log})
	ts.Check(err)
	s.server = server
	ts.Defer(func() {
		err := server.Stop()
		log.Close()
		ts.Check(err)
	})
	ts.Setenv("AWS_ENDPOINT_URL", s.server.URL)
	ts.Setenv("ADDRESS", s.server.Address())
	ts.Setenv("PID", strconv.Itoa(s.server.Pid()))
}

// client runs the AWS CLI. The endpoint is given as a flag, since old CLIs do not read AWS_ENDPOINT_URL.
func client(ts *testscript.TestScript, neg bool, service string, args []string) {
	sign(ts)
	args = append([]string{"--endpoint-url", ts.Getenv("AWS_ENDPOINT_URL"), "--region", ts.Getenv("REGION"), service}, args...)
	err := ts.Exec("aws", args...)
	switch {
	case err != nil && !neg:
		ts.Fatalf("%s %s failed: %v", service, args[5], err)
	case err == nil && neg:
		ts.Fatalf("%s %s succeeded", service, args[5])
	}
}

// sign gives the programs that a script calls the credentials of who it calls as, unless it has files of its own.
func sign(ts *testscript.TestScript) {
	if ts.Getenv("AWS_SHARED_CREDENTIALS_FILE") != noProfile {
		return
	}
	ts.Setenv("AWS_ACCESS_KEY_ID", cmp.Or(ts.Getenv("AS"), "test"))
	ts.Setenv("AWS_SECRET_ACCESS_KEY", cmp.Or(ts.Getenv("SECRET"), "test"))
	ts.Setenv("AWS_SESSION_TOKEN", ts.Getenv("SESSION_TOKEN"))
}

// errorCommand compares what the AWS CLI says with a code and a whole text.
func errorCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: error CODE [TEXT]")
	}
	want := ""
	if len(args) == 2 {
		want = args[1]
	}
	if code, text := failure(ts); code != args[0] || text != want {
		ts.Fatalf("got  %s: %s\nwant %s: %s", code, text, args[0], want)
	}
}

// failure is what the AWS CLI says of an operation that failed: the code and the text of the server's answer.
func failure(ts *testscript.TestScript) (code, text string) {
	said := strings.TrimSpace(ts.ReadFile("stderr"))
	code, rest, ok := strings.Cut(strings.TrimPrefix(said, "An error occurred ("), ") when calling the ")
	rest = strings.Replace(rest, " (reached max retries: 0)", "", 1) // what the CLI says of every error when told not to retry
	_, text, found := strings.Cut(rest, " operation:")
	if !ok || !found {
		ts.Fatalf("this is no server's answer: %s", said)
	}
	text = strings.TrimSpace(text)
	if text == "None" || text == "Unknown" { // what CLIs make of an answer without a text
		text = ""
	}
	return code, text
}

func keepCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keep NAME")
	}
	v := strings.TrimSpace(ts.ReadFile("stdout"))
	if v == "" {
		ts.Fatalf("the last command printed nothing")
	}
	ts.Setenv(args[0], v)
}

func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND …")
	}
	got := 0
	// A server that should have refused to start would run for ever; it ends with status 124.
	if err := ts.Exec("timeout", append([]string{"60"}, args[1:]...)...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

func occupyCommand(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

func freeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: free NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Check(l.Close())
}

// placeholder stands in a file for a variable of the script. Policies have $ and braces of their own.
var placeholder = regexp.MustCompile(`@[A-Z]+@`)

func fillCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fill FILE…")
	}
	for _, name := range args {
		filled := placeholder.ReplaceAllStringFunc(ts.ReadFile(name), func(at string) string {
			v := ts.Getenv(strings.Trim(at, "@"))
			if v == "" {
				ts.Fatalf("%s: there is no value for %s", name, at)
			}
			return v
		})
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(filled), 0o600))
	}
}

func certificateCommand(ts *testscript.TestScript, _ bool, _ []string) {
	_, err := harness.WriteCertificate(ts.MkAbs("."))
	ts.Check(err)
}

// newerCommand raises the number that a store begins with (docs/formats.md).
func newerCommand(ts *testscript.TestScript, neg bool, args []string) {
	db, err := bbolt.Open(ts.MkAbs(filepath.FromSlash(args[0])), 0o600, nil)
	ts.Check(err)
	err = db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte("meta"))
		if !bytes.Equal(meta.Get([]byte("format")), binary.BigEndian.AppendUint64(nil, 1)) {
			return errors.New("the store's format is not where it was")
		}
		return meta.Put([]byte("format"), binary.BigEndian.AppendUint64(nil, 2))
	})
	ts.Check(errors.Join(err, db.Close()))
}
