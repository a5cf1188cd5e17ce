package iam

// ProvidedID is the unique id of a managed policy that comes with Trent.
func ProvidedID(arn string) string {
	if m := provided()[arn]; m != nil {
		return m.ID
	}
	return ""
}

// ParseARN takes an ARN of IAM apart.
func ParseARN(s string) (account, kind, path, name string, ok bool) { return parseARN(s) }

// DecodeEntity reads the record of an entity, and returns it written again.
func DecodeEntity(b []byte) (again []byte, err error) {
	e, err := decodeEntity(b)
	if err != nil {
		return nil, err
	}
	if _, err := e.memo.inline(); err != nil {
		return nil, err
	}
	return encodeRecord(e.clone())
}

// DecodeManaged does so for a managed policy.
func DecodeManaged(b []byte) (again []byte, err error) {
	m, err := decodeManaged(b)
	if err != nil {
		return nil, err
	}
	return encodeRecord(m.clone())
}
