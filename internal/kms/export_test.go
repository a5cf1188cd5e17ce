package kms

// What the tests of package kms_test, which drive a whole server, must know of the records that it leaves behind.

// DecodeKey is decodeKey.
func DecodeKey(b []byte) (*Key, error) { return decodeKey(b) }

// DecodeAlias is decodeAlias.
func DecodeAlias(b []byte) (*Alias, error) { return decodeAlias(b) }

// DeletionPath is deletionPath.
func (k *Key) DeletionPath() string { return k.deletionPath() }

// DefaultPolicy is defaultPolicy.
func DefaultPolicy(account string) string { return defaultPolicy(account) }
