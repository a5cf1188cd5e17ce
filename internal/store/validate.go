package store

import "fmt"

// Validate returns ErrTooLarge or ErrInvalid if no engine may accept t. Every engine's Commit begins with it.
func (t Txn) Validate() error {
	if n := len(t.Checks) + len(t.Puts) + len(t.Deletes); n > MaxOps {
		return fmt.Errorf("%w: %d operations", ErrTooLarge, n)
	}
	for _, c := range t.Checks {
		if err := checkKey(c.Key); err != nil {
			return err
		}
		if c.Revision < 0 {
			return fmt.Errorf("%w: check of revision %d", ErrInvalid, c.Revision)
		}
	}
	return t.validateWrites()
}

func (t Txn) validateWrites() error {
	written := make(map[string]struct{}, len(t.Puts)+len(t.Deletes))
	write := func(key string) error {
		if err := checkKey(key); err != nil {
			return err
		}
		if _, twice := written[key]; twice {
			return fmt.Errorf("%w: key %s written twice", ErrInvalid, key)
		}
		written[key] = struct{}{}
		return nil
	}
	bytes := 0
	for _, p := range t.Puts {
		if err := write(p.Key); err != nil {
			return err
		}
		if bytes += len(p.Value); bytes > MaxValueBytes {
			return fmt.Errorf("%w: values of more than %d bytes", ErrTooLarge, MaxValueBytes)
		}
	}
	for _, key := range t.Deletes {
		if err := write(key); err != nil {
			return err
		}
	}
	return nil
}

// ValidKey reports whether a record can have this key.
func ValidKey(key string) bool { return checkKey(key) == nil }

func checkKey(key string) error {
	if len(key) > MaxKeyBytes {
		return fmt.Errorf("%w: key of %d bytes", ErrTooLarge, len(key))
	}
	if key == "" {
		return fmt.Errorf("%w: empty key", ErrInvalid)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return fmt.Errorf("%w: key %q is not printable ASCII", ErrInvalid, key)
		}
	}
	return nil
}

// CheckLimit returns ErrInvalid for a limit that Range does not take.
func CheckLimit(limit int) error {
	if limit < 1 {
		return fmt.Errorf("%w: page of %d records", ErrInvalid, limit)
	}
	return nil
}

// FirstKey returns the least string that a Range over prefix and after may return: the engines seek it, and stop at the
// first key without the prefix.
func FirstKey(prefix, after string) string {
	if after < prefix {
		return prefix
	}
	if after == "" {
		return ""
	}
	return after + "\x00"
}
