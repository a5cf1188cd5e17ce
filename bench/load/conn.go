//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// conn is one HTTP/1.1 connection that is kept open, with at most one request under way.
type conn struct {
	fd  int
	buf []byte // of the answer
	n   int    // bytes of it that have come
}

// dial connects to a server at ip:port.
func dial(addr string) (*conn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil || !to.Addr().Is4() {
		return nil, fmt.Errorf("load: %q is not an IPv4 address and port", addr)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("load: making a socket: %w", err)
	}
	c := &conn{fd: fd, buf: make([]byte, 16<<10)}
	if err := c.connect(to); err != nil {
		return nil, fmt.Errorf("load: connecting to %s: %w", addr, errors.Join(err, c.close()))
	}
	return c, nil
}

func (c *conn) connect(to netip.AddrPort) error {
	if err := unix.Connect(c.fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	return unix.SetNonblock(c.fd, true)
}

func (c *conn) close() error { return unix.Close(c.fd) }

// send sends a request as it is. It fits into the socket's buffer, where nothing else is.
func (c *conn) send(request []byte) error {
	n, err := unix.Write(c.fd, request)
	if err == nil && n < len(request) {
		err = fmt.Errorf("%d of %d bytes sent", n, len(request))
	}
	if err != nil {
		return fmt.Errorf("load: sending a request: %w", err)
	}
	return nil
}

// receive reads what has come. When that completes the answer it returns its body, valid until the next call.
func (c *conn) receive() (body []byte, complete bool, err error) {
	n, err := unix.Read(c.fd, c.buf[c.n:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("load: reading an answer: %w", err)
	case n == 0:
		return nil, false, fmt.Errorf("load: the server has hung up, or its answer is longer than %d bytes", len(c.buf))
	}
	c.n += n
	body, complete, err = parse(c.buf[:c.n])
	if complete {
		c.n = 0
	}
	return body, complete, err
}

// parse returns the body of an answer if all of it is there: a status line with 200, headers with Content-Length, and
// that many bytes.
func parse(b []byte) (body []byte, complete bool, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, false, nil
	}
	head, body := b[:end+2], b[end+4:]
	length, err := contentLength(head)
	if err != nil {
		return nil, false, err
	}
	switch {
	case len(body) < length:
		return nil, false, nil
	case len(body) > length:
		return nil, false, fmt.Errorf("load: %d bytes after an answer", len(body)-length)
	case !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")):
		return nil, false, fmt.Errorf("load: %s: %s", head[:bytes.IndexByte(head, '\r')], body)
	}
	return body, true, nil
}

func contentLength(head []byte) (int, error) {
	const name = "\r\nContent-Length: "
	i := bytes.Index(head, []byte(name))
	if i < 0 {
		return 0, fmt.Errorf("load: an answer without Content-Length: %q", head)
	}
	digits := head[i+len(name):]
	digits = digits[:bytes.IndexByte(digits, '\r')]
	n, err := strconv.Atoi(string(digits))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("load: Content-Length %q", digits)
	}
	return n, nil
}
